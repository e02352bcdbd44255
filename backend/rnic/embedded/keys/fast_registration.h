// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/guest_memory.h"
#include "rnic/attributes.h"
#include "rnic/embedded/sync/grace_period.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

// How far the invalidation of a key is.
enum class Invalidation {
    kDone,     // no access by that key any more
    kPending,  // no access begins, but others have not ended: ask again
    kRefused,
};

// How far the registration of a region's pages is.
enum class Registration {
    kDone,
    kPending,  // the key is being invalidated: ask again
    kRefused,
};

// The wish of a REG_MR work request, as copied out of the guest's description.
struct WantedPages {
    uint64_t iova = 0;
    uint64_t length = 0;     // bytes
    uint64_t page_size = 0;  // bytes
    uint32_t page_count = 0;
};

// The further state of a memory region that work requests register (IBTA 1.4, 10.6.5).
class FastRegistration {
  public:
    // `attributes.description` is guest-controlled: vrdma_fast_reg and max_pages addresses.
    explicit FastRegistration(rnic::FastMrAttributes attributes);

    uint32_t max_pages() const { return max_pages_; }

    // Locks all below and the region's key.
    void lock() { lock_.lock(); }
    void unlock() { lock_.unlock(); }

    // The current key, also while it is not valid.
    uint32_t key() const { return key_; }
    void set_key(uint32_t key) { key_ = key; }

    // Whether no key is valid and no access by an earlier one is under way.
    bool is_free(const WorkerSlices& slices);
    std::span<const memory::PinnedRange> description() const { return description_; }
    // The memory that is registered; null when none is.
    const std::shared_ptr<const memory::GuestMemory>& memory() const { return memory_; }
    bool is_valid() const { return state_ == State::kValid; }
    bool is_invalidating() const { return state_ == State::kInvalidating; }

    // Copies the description out of the guest's memory. False: it asks for what cannot be.
    bool read_description(WantedPages& wanted);
    // Guest-physical addresses, little-endian as the guest wrote them, of the pages that
    // read_description() has found.
    std::span<const uint64_t> pages() const { return pages_; }

    // The key is valid, or no longer, from here on. `memory` stays mapped meanwhile.
    void validate(uint32_t key, std::shared_ptr<const memory::GuestMemory> memory);
    void begin_invalidation(const WorkerSlices& slices);

  private:
    enum class State {
        kFree,
        kValid,
        kInvalidating,  // until grace_.over()
    };
    void read(uint64_t offset, std::span<std::byte> to) const;

    SpinLock lock_;
    State state_ = State::kFree;
    uint32_t key_ = 0;
    GracePeriod grace_;

    const uint32_t max_pages_;
    const std::vector<memory::PinnedRange> description_;  // guest-controlled
    std::vector<uint64_t> pages_;
    std::shared_ptr<const memory::GuestMemory> memory_;
};

}  // namespace vrdma::embedded
