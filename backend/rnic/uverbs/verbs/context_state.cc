// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

Result<void> ContextState::usable() const {
    if (port.rnic->removed.load(std::memory_order_relaxed)) {
        return fail(ENODEV);
    }
    return {};
}

Result<UdataTranslation> ContextState::translate(uint16_t opcode, rnic::Udata& udata) const {
    UdataTranslation::Refusal refusal;
    auto translation =
        UdataTranslation::make(port.rnic->vendor, opcode, udata, port.rnic->mappings, refusal);
    if (!translation && refusal.expected) {
        port.logger->debug("{}: command {:#06x}: {}; the library does without", port.guest, opcode,
                           refusal.reason);
    } else if (!translation) {
        port.log.warn(translation.error(), "{}: command {:#06x}: {}; the verb gets {}", port.guest,
                      opcode, refusal.reason, to_string(translation.error()));
    }
    return translation;
}

Result<void> ContextState::execute(uint16_t opcode, const UverbsCommand& command,
                                   rnic::Udata& udata) const {
    if (auto there = usable(); !there) {
        return there;
    }
    auto translation = translate(opcode, udata);
    if (!translation) {
        return fail(translation.error());
    }
    auto executed = uverbs::execute(*file, command, translation->command_udata());
    if (executed) {
        translation->answered();
        mmap_keys->remember(port.rnic->vendor, opcode, udata.out);
    }
    return executed;
}

Result<void> ContextState::execute(const UverbsCommand& command) const {
    auto there = usable();
    return there ? uverbs::execute(*file, command) : there;
}

}  // namespace vrdma::uverbs
