// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace vrdma::uverbs {

// How many objects of each kind the guests have in the RNIC, as this process counts them.
struct LiveObjects {
    using Counter = std::atomic<uint64_t>;
    Counter ports{0};
    Counter contexts{0};
    Counter protection_domains{0};
    Counter memory_regions{0};
    Counter memory_windows{0};
    Counter completion_queues{0};
    Counter shared_receive_queues{0};
    Counter queue_pairs{0};
    Counter address_handles{0};
};

// Counts one object for as long as it lives itself.
class LiveCount {
  public:
    explicit LiveCount(LiveObjects::Counter& counter) : counter_(&counter) {
        counter_->fetch_add(1, std::memory_order_relaxed);
    }
    LiveCount(LiveCount&& other) noexcept : counter_(std::exchange(other.counter_, nullptr)) {}
    LiveCount& operator=(LiveCount&&) = delete;
    LiveCount(const LiveCount&) = delete;
    LiveCount& operator=(const LiveCount&) = delete;
    ~LiveCount() {
        if (counter_ != nullptr) {
            counter_->fetch_sub(1, std::memory_order_relaxed);
        }
    }

  private:
    LiveObjects::Counter* counter_;
};

}  // namespace vrdma::uverbs
