// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/vendors/udata_translation.h"
#include "rnic/uverbs/verbs/mmap_keys.h"
#include "rnic/uverbs/verbs/port_state.h"

namespace vrdma::uverbs {

// The state that the objects of one guest user context share: its uverbs file, and how a verb goes
// through the file.
struct ContextState {
    PortState& port;
    const std::shared_ptr<UverbsFile> file;
    int completion_fd = -1;     // the context's completion channel, as commands name it
    uint32_t comp_vectors = 1;  // the RNIC's; at least one
    const std::unique_ptr<MmapKeys> mmap_keys = std::make_unique<MmapKeys>();

    // ENODEV once the RNIC is being removed.
    Result<void> usable() const;

    // Has the kernel execute the command behind a verb, with the guest's private bytes.  `opcode`
    // is the guest's command, enum vrdma_opcode.  Errors: those of usable() and of
    // UdataTranslation::make(), which a line in the log explains, and the kernel's.
    Result<void> execute(uint16_t opcode, const UverbsCommand& command, rnic::Udata& udata) const;

    // Has the kernel execute a command without private bytes.  Errors: usable()'s, the kernel's.
    Result<void> execute(const UverbsCommand& command) const;

  private:
    Result<UdataTranslation> translate(uint16_t opcode, rnic::Udata& udata) const;
};

}  // namespace vrdma::uverbs
