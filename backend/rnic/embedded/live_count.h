// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace vrdma::embedded {

// How many objects of each kind are alive, of one port or of the whole RNIC.
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
    Counter ring_bytes{0};
};

// Counts in a port's and in the RNIC's counter for as long as it lives.
class LiveCount {
  public:
    // Adds `amount`, unless the port would then have more than `limit`.
    static std::optional<LiveCount> take(LiveObjects::Counter& total, LiveObjects::Counter& port,
                                         uint64_t limit, uint64_t amount = 1) {
        if (port.fetch_add(amount, std::memory_order_relaxed) + amount > limit) {
            port.fetch_sub(amount, std::memory_order_relaxed);
            return std::nullopt;
        }
        total.fetch_add(amount, std::memory_order_relaxed);
        return LiveCount(total, port, amount);
    }

    LiveCount(LiveCount&& other) noexcept
        : total_(std::exchange(other.total_, nullptr)),
          port_(other.port_),
          amount_(other.amount_) {}
    LiveCount& operator=(LiveCount&&) = delete;
    LiveCount(const LiveCount&) = delete;
    LiveCount& operator=(const LiveCount&) = delete;
    ~LiveCount() {
        if (total_ == nullptr) return;
        port_->fetch_sub(amount_, std::memory_order_relaxed);
        total_->fetch_sub(amount_, std::memory_order_relaxed);
    }

  private:
    LiveCount(LiveObjects::Counter& total, LiveObjects::Counter& port, uint64_t amount)
        : total_(&total), port_(&port), amount_(amount) {}

    LiveObjects::Counter* total_;
    LiveObjects::Counter* port_;
    uint64_t amount_;
};

}  // namespace vrdma::embedded
