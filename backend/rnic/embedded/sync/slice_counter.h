// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace vrdma::embedded {

inline constexpr size_t kCacheLineSize = 64;  // bytes

// Numbers the slices of work of one worker. A slice is what RCU calls a read-side critical
// section: what the slice has looked up stays usable until the slice ends (see GracePeriod).
// Each worker writes its counter with every slice, so no two counters share a cache line.
class alignas(kCacheLineSize) SliceCounter {
  public:
    // One slice, from construction to destruction.
    class Slice {
      public:
        // `counter` is the worker's own, or null when there is no other worker that could look.
        // The increment is sequentially consistent and comes before the keys are looked up.
        explicit Slice(SliceCounter* counter) : counter_(counter) {
            if (counter_ != nullptr) {
                counter_->number_.fetch_add(1, std::memory_order_seq_cst);
            }
        }
        // The release comes after the last access.
        ~Slice() {
            if (counter_ != nullptr) {
                auto& number = counter_->number_;
                number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_release);
            }
        }
        Slice(const Slice&) = delete;
        Slice& operator=(const Slice&) = delete;

      private:
        SliceCounter* counter_;
    };

    // Odd during a slice, and another number for each slice.
    uint64_t current() const { return number_.load(std::memory_order_seq_cst); }

  private:
    std::atomic<uint64_t> number_{0};
};

// The slice counters of all workers, as one of the workers sees them.
struct WorkerSlices {
    std::span<const SliceCounter> all;
    const SliceCounter& self;
};

}  // namespace vrdma::embedded
