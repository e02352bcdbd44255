// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "memory/guest_memory.h"
#include "memory/mapping_budget.h"
#include "memory/watched_range.h"
#include "result.h"

namespace vrdma::memory {

struct FileRun;  // the part of a file that one mmap() maps

// Guest memory that may be scattered in guest-physical space, contiguous in this process: the
// guest RAM's files are mapped a second time, piece by piece, side by side.  Memory that is
// contiguous already is used where it is.
class StitchedMapping {
  public:
    StitchedMapping() = default;
    StitchedMapping(StitchedMapping&& other) noexcept { *this = std::move(other); }
    StitchedMapping& operator=(StitchedMapping&& other) noexcept;
    ~StitchedMapping();

    // Maps the pieces one after the other.  The first may begin inside a page, at `offset_in_page`,
    // and the last end inside one; where two meet there must be a page boundary.  On failure
    // `reason` says, for the log, what is wrong:
    //   EINVAL      no pieces, or boundaries that no mapping can have
    //   EOPNOTSUPP  guest RAM that is not backed by a file, or backed by larger pages than
    //               the boundaries allow
    //   ENOMEM      more pieces than the kernel lets this process map
    static Result<StitchedMapping> make(std::span<const PinnedRange> pieces,
                                        uint64_t offset_in_page, MappingBudget& budget,
                                        std::string& reason);

    // Another CPU can change the bytes at any moment: see memory/guest_access.h.
    std::byte* data() const { return data_; }
    uint64_t size() const { return size_; }

    // How many mappings were made for the object; 0 when the memory was contiguous.
    uint64_t mappings() const { return mappings_; }

  private:
    Result<void> map_into_hole(std::span<const FileRun> runs, uint64_t start, uint64_t granule,
                               std::string& reason);
    Result<void> map_over_reservation(std::span<const FileRun> runs, uint64_t start,
                                      uint64_t granule, std::string& reason);
    Result<std::byte*> reserve(uint64_t start, uint64_t granule, std::string& reason);
    Result<void> map_runs(std::span<const FileRun> runs, std::byte* data, int placing,
                          std::string& reason);
    void watch(uint64_t start, uint64_t granule);
    void populate();
    void unmap();

    std::byte* data_ = nullptr;
    uint64_t size_ = 0;
    uint64_t mappings_ = 0;
    std::byte* own_ = nullptr;  // address space that this object owns; data_ lies in it
    uint64_t own_size_ = 0;
    std::vector<std::shared_ptr<const GuestRegion>> regions_;  // kept mapped
    WatchedRange watched_;                                     // the address space that it owns
    MappingBudget::Share share_;
};

}  // namespace vrdma::memory
