// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/guest_memory.h"
#include "rnic/embedded/sync/grace_period.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

// How far the invalidation of a key is.
enum class Invalidation {
    kDone,     // no access by that key any more
    kPending,  // none begins, but others have not ended: ask again
    kRefused,
};

// What a memory region that work requests register has besides (IBTA 1.4, 10.6.5).
struct FastRegistration {
    enum class State {
        kFree,
        kValid,
        kInvalidating,  // until grace.over()
    };

    SpinLock lock;  // of all below, and of the region's key
    State state = State::kFree;
    uint32_t key = 0;  // the current one, also while it is not valid
    GracePeriod grace;

    const uint32_t max_pages;
    const std::vector<memory::PinnedRange> description;  // guest-controlled
    std::vector<uint64_t> pages;                         // as copied out of it
    std::shared_ptr<const memory::GuestMemory> memory;   // keeps the pages mapped

    FastRegistration(uint32_t most, std::vector<memory::PinnedRange> where)
        : max_pages(most), description(std::move(where)) {
        pages.reserve(most);
    }

    // Copies the bytes of the description from `offset` on, which must be there.
    void read(uint64_t offset, std::span<std::byte> to) const;
};

}  // namespace vrdma::embedded
