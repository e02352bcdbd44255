// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "memory/guest_memory.h"
#include "memory/mapping_budget.h"
#include "memory/watched_range.h"
#include "result.h"

namespace vrdma::memory {

// Memory of one process in a guest, at the very addresses at which that process has it, for
// RNICs whose driver takes an address of the calling process for the address of a region.
// A mapping that this process itself has at such an address is never replaced.  While the memory
// is placed, nothing else of this process can be mapped there.  One thread at a time.
class PlacedPages {
  public:
    // Keeps pages placed as long as it lives; must not outlive the PlacedPages.
    class Lease {
      public:
        Lease() = default;
        Lease(Lease&& other) noexcept { *this = std::move(other); }
        Lease& operator=(Lease&& other) noexcept;
        ~Lease();

      private:
        friend PlacedPages;

        PlacedPages* pages_ = nullptr;
        uint64_t begin_ = 0;
        uint64_t end_ = 0;
        WatchedRange watched_;
        MappingBudget::Share share_;
    };

    PlacedPages() = default;
    PlacedPages(const PlacedPages&) = delete;
    PlacedPages& operator=(const PlacedPages&) = delete;

    // Places the pieces one after the other from `address`; where two meet there must be a page
    // boundary.  On failure `reason` says, for the log, what is wrong:
    //   EINVAL      no pieces, or addresses and boundaries that no mapping can have
    //   EOPNOTSUPP  guest RAM that is in no file, or in one of huge pages
    //   EADDRINUSE  something else is there already
    //   ENOMEM      more pieces than the kernel lets this process map
    Result<Lease> place(uint64_t address, std::span<const PinnedRange> pieces,
                        MappingBudget& budget, std::string& reason);

  private:
    struct Page {
        int file = -1;  // the region's descriptor, for comparison
        uint64_t offset = 0;
        uint32_t users = 0;
    };

    Result<void> add(uint64_t address, const Page& wanted, std::string& reason);
    void release(uint64_t begin, uint64_t end);

    std::map<uint64_t, Page> pages_;  // by address
};

}  // namespace vrdma::memory
