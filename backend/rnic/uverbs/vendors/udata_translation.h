// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "memory/mapping_budget.h"
#include "memory/stitched_mapping.h"
#include "result.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {

// A guest's private bytes of one verb as the host's kernel may see them: they have the lengths that
// the driver expects, and addresses of this process in place of the guest's.  Exists for as long as
// the command: the kernel pins what it goes on using.
class UdataTranslation {
  public:
    // Why there is none, for the log.
    struct Refusal {
        std::string reason;
        bool expected = false;  // the library tries this each time, and then does without
    };

    // `opcode` is the guest's command, enum vrdma_opcode.  Errors, with the `refusal` for the log:
    // EINVAL for lengths that the table does not have, EFAULT for a pointer without memory,
    // EOPNOTSUPP for withheld bits, and StitchedMapping::make()'s.
    static Result<UdataTranslation> make(const VendorEntry& vendor, uint16_t opcode,
                                         rnic::Udata& udata, memory::MappingBudget& budget,
                                         Refusal& refusal);

    CommandUdata command_udata() { return {.in = in_, .out = udata_->out}; }

    // To be called when the kernel has answered the command.
    void answered();

  private:
    UdataTranslation(const VendorEntry& vendor, uint16_t opcode, rnic::Udata& udata)
        : vendor_(&vendor),
          opcode_(opcode),
          udata_(&udata),
          in_(udata.in.begin(), udata.in.end()) {}

    Result<void> withhold(const VendorEntry& vendor, uint16_t opcode, Refusal& refusal);
    Result<void> translate(const vrdma_udata_pointer& pointer, memory::MappingBudget& budget,
                           std::string& reason);

    const VendorEntry* vendor_;
    uint16_t opcode_;
    rnic::Udata* udata_;
    std::vector<std::byte> in_;
    std::vector<memory::StitchedMapping> mappings_;
};

}  // namespace vrdma::uverbs
