// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <optional>

#include "result.h"

namespace vrdma::device {

// Memory that a guest wants in its shared memory region: `length` bytes of the file `fd` from
// `fd_offset`.
struct ShmSource {
    uint32_t uctx = 0;  // the user context that it is of, or VRDMA_NO_HANDLE
    int fd = -1;
    uint64_t fd_offset = 0;
    uint64_t length = 0;

    // The descriptor of a user context's file differs from process to process.
    bool same_memory(const ShmSource& other) const {
        return uctx == other.uctx && fd_offset == other.fd_offset && length == other.length;
    }
};

// Maps host memory into the guest's shared memory region.  Lengths and offsets are in bytes,
// multiples of VRDMA_SHM_PAGE_SIZE.
class ShmMapper {
  public:
    virtual ~ShmMapper() = default;

    // Has the VMM map `source` and waits for it.  Returns the offset in the shared memory region.
    // ENOMEM when the shared memory region is full, ENOTCONN when the VMM cannot map, EINVAL when
    // the RNIC's driver refuses the offset.  ECANCELED when the control queue is being stopped:
    // then the command is to be executed again later.  What the VMM maps meanwhile is that
    // command's, since a driver may let an offset be mapped only once (rxe_mmap()).
    virtual Result<uint64_t> map(const ShmSource& source) = 0;

    // What the VMM has mapped for a command that has not been executed again yet.
    struct Unclaimed {
        ShmSource source;
        uint64_t shm_offset = 0;
    };
    // The next map() of the same memory gets it; that of other memory unmaps it.
    virtual std::optional<Unclaimed> unclaimed() const { return std::nullopt; }
    // Takes note of what was unclaimed in an earlier process.  Errors of adopt().
    virtual Result<void> adopt_unclaimed(const Unclaimed& /*mapping*/) { return fail(EOPNOTSUPP); }
    // Unmaps what is unclaimed, if it is of this user context.
    virtual void drop_unclaimed(uint32_t /*uctx*/) {}

    // Takes note of what the VMM has mapped already, for an earlier process.  EINVAL when another
    // mapping is there, or the shared memory region ends before.
    virtual Result<void> adopt(uint64_t /*shm_offset*/, uint64_t /*length*/) {
        return fail(EOPNOTSUPP);
    }

    // Takes a mapping of `length` bytes at `shm_offset` out again.  Does not wait.
    virtual void unmap(uint64_t shm_offset, uint64_t length) = 0;
};

}  // namespace vrdma::device
