// SPDX-License-Identifier: Apache-2.0
// The guest memory behind user pointers in udata (docs/spec.md, "User pointers in udata").
#pragma once

#include <vrdma_udata_memory.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "device/verbs/objects.h"
#include "result.h"

namespace vrdma::device {

// A region as the guest's command describes it; a private copy.
struct RequestedRegion {
    uint16_t offset = 0;
    uint64_t length = 0;  // bytes
    std::span<const vrdma_run> runs{};
};

// The attributes in `request`, of a fixed size that fits `opcode`, that the length of such
// memory may depend on.
vrdma_udata_counts udata_counts(uint16_t opcode, std::span<const std::byte> request);

// Sees that `regions` are the memory that the user pointers in `udata` name, no more and no
// less.  Whether their runs are guest memory is not looked at.  EFAULT for a pointer without
// its region, EINVAL for all else that does not fit.  The answer is what the object that is
// being made keeps in use.
Result<MemoryUse> check_regions(std::span<const vrdma_udata_pointer> pointers, uint16_t opcode,
                                std::span<const std::byte> udata, const vrdma_udata_counts& counts,
                                std::span<const RequestedRegion> regions);

}  // namespace vrdma::device
