// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// How many objects of each kind the guests have in an RNIC, by this process's own count.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "rnic/rnic.h"

namespace vrdma::rnic {

// Every kind of object that an RNIC counts. A kind's name is the name of its counter and of its
// entry in Rnic::live_objects().
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): the one list that counters and names come from
#define VRDMA_RNIC_LIVE_OBJECT_KINDS(KIND) \
    KIND(ports)                            \
    KIND(contexts)                         \
    KIND(protection_domains)               \
    KIND(xrc_domains)                      \
    KIND(memory_regions)                   \
    KIND(memory_windows)                   \
    KIND(completion_queues)                \
    KIND(shared_receive_queues)            \
    KIND(queue_pairs)                      \
    KIND(address_handles)

// The counters, one a kind. Any thread may change them.
struct LiveObjects {
    using Counter = std::atomic<uint64_t>;
#define VRDMA_KIND(name) Counter name{0};
    VRDMA_RNIC_LIVE_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
};

// The counters' values at one moment.
struct LiveObjectCounts {
#define VRDMA_KIND(name) uint64_t name = 0;
    VRDMA_RNIC_LIVE_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
    bool operator==(const LiveObjectCounts&) const = default;
};

inline LiveObjectCounts counts_of(const LiveObjects& live) {
    LiveObjectCounts counts;
#define VRDMA_KIND(name) counts.name = live.name.load(std::memory_order_relaxed);
    VRDMA_RNIC_LIVE_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
    return counts;
}

// The answer of Rnic::live_objects().
inline std::vector<LiveObjectCount> list_of(const LiveObjects& live) {
    return {
#define VRDMA_KIND(name) LiveObjectCount{#name, live.name.load(std::memory_order_relaxed)},
        VRDMA_RNIC_LIVE_OBJECT_KINDS(VRDMA_KIND)
#undef VRDMA_KIND
    };
}

// Counts one object, or an amount of something, for as long as it lives: in the RNIC's counter,
// and in a counter of its owner's when that one is limited.
class LiveCount {
  public:
    using Counter = LiveObjects::Counter;

    explicit LiveCount(Counter& total, uint64_t amount = 1) : total_(&total), amount_(amount) {
        total.fetch_add(amount, std::memory_order_relaxed);
    }

    // Counts in `total` and in `own`. None, with nothing counted, when `own` would exceed `limit`.
    static std::optional<LiveCount> take(Counter& total, Counter& own, uint64_t limit,
                                         uint64_t amount = 1) {
        if (own.fetch_add(amount, std::memory_order_relaxed) + amount > limit) {
            own.fetch_sub(amount, std::memory_order_relaxed);
            return std::nullopt;
        }
        LiveCount count(total, amount);
        count.own_ = &own;
        return count;
    }

    LiveCount(LiveCount&& other) noexcept
        : total_(std::exchange(other.total_, nullptr)), own_(other.own_), amount_(other.amount_) {}
    LiveCount& operator=(LiveCount&& other) noexcept {
        std::swap(total_, other.total_);
        std::swap(own_, other.own_);
        std::swap(amount_, other.amount_);
        return *this;
    }
    LiveCount(const LiveCount&) = delete;
    LiveCount& operator=(const LiveCount&) = delete;
    ~LiveCount() {
        if (total_ == nullptr) {
            return;
        }
        if (own_ != nullptr) {
            own_->fetch_sub(amount_, std::memory_order_relaxed);
        }
        total_->fetch_sub(amount_, std::memory_order_relaxed);
    }

  private:
    Counter* total_;
    Counter* own_ = nullptr;
    uint64_t amount_;
};

}  // namespace vrdma::rnic
