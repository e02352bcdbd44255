// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "result.h"

namespace vrdma::device {

// Maps host memory into the guest's shared memory region.  Lengths and offsets are in bytes,
// multiples of VRDMA_SHM_PAGE_SIZE.
class ShmMapper {
  public:
    virtual ~ShmMapper() = default;

    // Has the VMM map `length` bytes of `fd` from `fd_offset` and waits for it.  Returns the
    // offset in the shared memory region.  ENOMEM when the shared memory region is full, ENOTCONN
    // when the VMM cannot map, EINVAL when the RNIC's driver refuses the offset.  ECANCELED when
    // the control queue is being stopped: then nothing is mapped and the command is to be
    // executed again later.
    virtual Result<uint64_t> map(int fd, uint64_t fd_offset, uint64_t length) = 0;

    // Takes note of what the VMM has mapped already, for an earlier process.  EINVAL when another
    // mapping is there, or the shared memory region ends before.
    virtual Result<void> adopt(uint64_t /*shm_offset*/, uint64_t /*length*/) {
        return fail(EOPNOTSUPP);
    }

    // Takes a mapping of `length` bytes at `shm_offset` out again.  Does not wait.
    virtual void unmap(uint64_t shm_offset, uint64_t length) = 0;
};

}  // namespace vrdma::device
