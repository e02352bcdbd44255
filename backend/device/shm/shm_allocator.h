// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>

#include "result.h"

namespace vrdma::device {

// The parts of the shared memory region that are in use.  Allocation is first fit over the free
// ranges.  Offsets and lengths are in bytes, multiples of VRDMA_SHM_PAGE_SIZE.
class ShmAllocator {
  public:
    ShmAllocator() = default;
    explicit ShmAllocator(uint64_t size);

    uint64_t size() const { return size_; }
    uint64_t used() const { return used_; }

    // Takes a free range of `length` bytes and returns its offset.  ENOMEM when there is none.
    Result<uint64_t> allocate(uint64_t length);

    // Takes this very range, which is free.
    void take(uint64_t offset, uint64_t length);

    // Takes this very range.  EINVAL when it is not free.
    Result<void> claim(uint64_t offset, uint64_t length);

    // Gives back a range that allocate() or take() took.
    void free(uint64_t offset, uint64_t length);

  private:
    uint64_t size_ = 0;
    uint64_t used_ = 0;
    std::map<uint64_t, uint64_t> free_;  // offset -> length, never adjacent
};

}  // namespace vrdma::device
