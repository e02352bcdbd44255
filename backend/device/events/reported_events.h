// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace vrdma::device {

// The asynchronous events of which the guest has not been told, in their order.  Room for them is
// there from the beginning.  No function holds the lock for longer than a few instructions.
class ReportedEvents {
  public:
    // So many events wait at most; a guest that takes its events does not reach the limit.
    static constexpr size_t kMax = 4096;

    // Any thread.  The event is lost, and counted, when there are kMax already.
    void push(const vrdma_event& event) {
        const std::lock_guard lock(mutex_);
        if (count_ == kMax) {
            ++lost_;
            return;
        }
        ring_[(first_ + count_++) % kMax] = event;
        changed_.store(true, std::memory_order_seq_cst);
    }

    // The device's end, which comes once, and must not get lost (docs/spec.md, "Loss of the
    // RNIC").  It is the last event.
    void push_end(const vrdma_event& event) {
        const std::lock_guard lock(mutex_);
        end_ = event;
        changed_.store(true, std::memory_order_seq_cst);
    }

    // The oldest, and its removal.
    std::optional<vrdma_event> front() const {
        const std::lock_guard lock(mutex_);
        return count_ != 0 ? ring_[first_] : end_;
    }
    void pop() {
        const std::lock_guard lock(mutex_);
        if (count_ != 0) {
            first_ = (first_ + 1) % kMax;
            --count_;
        } else {
            end_.reset();
        }
    }

    // All that wait, the oldest first.
    std::vector<vrdma_event> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<vrdma_event> events;
        for (size_t i = 0; i < count_; ++i) {
            events.push_back(ring_[(first_ + i) % kMax]);
        }
        if (end_) {
            events.push_back(*end_);
        }
        return events;
    }

    void clear() {
        const std::lock_guard lock(mutex_);
        count_ = 0;
        end_.reset();
        lost_ = 0;
    }

    // Whether something was pushed since the last take_changed().
    bool changed() const { return changed_.load(std::memory_order_seq_cst); }
    bool take_changed() { return changed_.exchange(false, std::memory_order_seq_cst); }

    // How many were lost since the last call.
    uint64_t take_lost() {
        const std::lock_guard lock(mutex_);
        return std::exchange(lost_, 0);
    }

  private:
    mutable std::mutex mutex_;  // guards what follows, but for changed_
    std::vector<vrdma_event> ring_ = std::vector<vrdma_event>(kMax);
    size_t first_ = 0;
    size_t count_ = 0;
    std::optional<vrdma_event> end_;
    uint64_t lost_ = 0;
    std::atomic<bool> changed_ = false;
};

}  // namespace vrdma::device
