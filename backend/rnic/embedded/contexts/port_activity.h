// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/rnic.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

// What workers do for a port, and which of its work requests fail.  Nothing here is counted for
// each message.  Any thread reads.
class PortActivity {
  public:
    // The home worker: `turns` more have been, whose work took `nanoseconds`.
    void add_turns(uint64_t turns, uint64_t nanoseconds) {
        turns_.fetch_add(turns, std::memory_order_relaxed);
        nanoseconds_.fetch_add(nanoseconds, std::memory_order_relaxed);
    }
    // The home worker slept, and the guest's notification woke it.
    void count_notification() { notifications_.fetch_add(1, std::memory_order_relaxed); }
    // A completion with an error.  Any worker.
    void count_failure(WcStatus status) {
        failures_[static_cast<size_t>(status) % kStatuses].fetch_add(1, std::memory_order_relaxed);
    }

    rnic::PortActivity read() const {
        rnic::PortActivity activity{
            .turns = turns_.load(std::memory_order_relaxed),
            .nanoseconds = nanoseconds_.load(std::memory_order_relaxed),
            .notifications = notifications_.load(std::memory_order_relaxed),
        };
        for (const WcStatusName& status : kWcStatusNames) {
            const uint64_t count =
                failures_[static_cast<size_t>(status.status)].load(std::memory_order_relaxed);
            if (count != 0) {
                activity.failed_completions.push_back({status.name, count});
            }
        }
        return activity;
    }

  private:
    static constexpr size_t kStatuses = 32;  // a power of two, above each of enum ibv_wc_status

    std::atomic<uint64_t> turns_ = 0;
    std::atomic<uint64_t> nanoseconds_ = 0;
    std::atomic<uint64_t> notifications_ = 0;
    std::array<std::atomic<uint64_t>, kStatuses> failures_{};
};

}  // namespace vrdma::embedded
