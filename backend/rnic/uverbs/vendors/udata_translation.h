// SPDX-License-Identifier: Apache-2.0
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

// A guest's private bytes of one verb as the host's kernel may see them: of the lengths
// that the driver expects, with addresses of this process for the guest's.  Exists for as
// long as the command: what the kernel goes on using it pins.
class UdataTranslation {
  public:
    // Errors, with the `reason` for the log: EINVAL for lengths that the table does not
    // have, EFAULT for a pointer without memory, EOPNOTSUPP for withheld bits, and those
    // of StitchedMapping.
    static Result<UdataTranslation> make(const VendorEntry& vendor, uint16_t opcode,
                                         rnic::Udata& udata, memory::MappingBudget& budget,
                                         std::string& reason);

    CommandUdata command_udata() { return {.in = in_, .out = udata_->out}; }

    // The kernel has answered the command.
    void answered() { udata_->out_written = udata_->out.size(); }

  private:
    explicit UdataTranslation(rnic::Udata& udata)
        : udata_(&udata), in_(udata.in.begin(), udata.in.end()) {}

    Result<void> withhold(const VendorEntry& vendor, uint16_t opcode, std::string& reason);
    Result<void> translate(const vrdma_udata_pointer& pointer, memory::MappingBudget& budget,
                           std::string& reason);

    rnic::Udata* udata_;
    std::vector<std::byte> in_;
    std::vector<memory::StitchedMapping> mappings_;
};

}  // namespace vrdma::uverbs
