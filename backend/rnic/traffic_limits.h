// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "limit_counter.h"

namespace vrdma::rnic {

// How much of an RNIC's work one guest may have.
struct TrafficLimits {
    static constexpr uint32_t kMaxWeight = 1000;
    // A guest that has used up its burst waits for milliseconds: that is how an RNIC's thread
    // sleeps.
    static constexpr std::chrono::microseconds kMinBurst = std::chrono::milliseconds(2);
    static constexpr std::chrono::microseconds kMaxBurst = std::chrono::seconds(10);

    // The guest's share beside others that are busy as well: twice the weight, twice the work.
    // 1 to kMaxWeight.
    uint32_t weight = 1;
    // What the guest sends, and what it reads from others; 0: without limit.
    uint64_t bytes_per_second = 0;
    // Work requests that are executed; 0: without limit.
    uint64_t messages_per_second = 0;
    // How much a guest that was silent may send at once: what its rates allow in this time.
    // kMinBurst to kMaxBurst.
    std::chrono::microseconds burst = std::chrono::milliseconds(10);

    bool operator==(const TrafficLimits&) const = default;
};

// How often work of a guest began to wait for a rate: for the one that it waits for longer.
struct TrafficReached {
    // `signal` is raised at each wait; null for none.
    explicit TrafficReached(const std::shared_ptr<LimitSignal>& signal = nullptr)
        : bytes_per_second(signal), messages_per_second(signal) {}

    LimitCounter bytes_per_second;
    LimitCounter messages_per_second;
};

// Whether the values are ones that may be set.
constexpr bool is_valid(const TrafficLimits& limits) {
    return limits.weight >= 1 && limits.weight <= TrafficLimits::kMaxWeight &&
           limits.burst >= TrafficLimits::kMinBurst && limits.burst <= TrafficLimits::kMaxBurst;
}

}  // namespace vrdma::rnic
