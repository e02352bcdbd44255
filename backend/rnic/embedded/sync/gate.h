// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace vrdma::embedded {

// Keeps control verbs and the data path apart without a lock on the data path. A worker is inside
// the gate while it may touch the RNIC's tables; between slices the worker calls yield(), which
// steps aside for a Pause that waits. A Pause waits until all workers are outside.
class Gate {
  public:
    void enter();
    void leave();

    // Lets a waiting Pause go first. Called between two slices.
    void yield() {
        if (requests_.load(std::memory_order_relaxed) != 0) [[unlikely]] {
            leave();
            enter();
        }
    }

  private:
    // While one exists no worker is inside the gate.
    class Closed {
      public:
        explicit Closed(Gate& gate);
        ~Closed();
        Closed(const Closed&) = delete;
        Closed& operator=(const Closed&) = delete;

      private:
        Gate& gate_;
    };

  public:
    // While one exists no worker is inside the gate. Pauses exist meanwhile as they do otherwise,
    // on any thread, and wait for no worker.
    class Stop {
      public:
        explicit Stop(Gate& gate) : gate_(gate), closed_(gate) {
            gate_.stops_.fetch_add(1, std::memory_order_relaxed);
        }
        ~Stop() { gate_.stops_.fetch_sub(1, std::memory_order_relaxed); }
        Stop(const Stop&) = delete;
        Stop& operator=(const Stop&) = delete;

      private:
        Gate& gate_;
        Closed closed_;
    };
    bool is_stopped() const { return stops_.load(std::memory_order_relaxed) != 0; }

    // While one exists no worker is inside the gate, and no other Pause exists.
    class Pause {
      public:
        explicit Pause(Gate& gate);
        ~Pause();
        Pause(const Pause&) = delete;
        Pause& operator=(const Pause&) = delete;

      private:
        Gate& gate_;
        std::lock_guard<std::mutex> one_at_a_time_;
        Closed closed_;
        std::chrono::steady_clock::time_point begun_;
    };

    // How many Pauses there were, and how long they have lasted altogether. Any thread.
    uint64_t pauses() const { return count_.load(std::memory_order_relaxed); }
    std::chrono::nanoseconds paused() const {
        return std::chrono::nanoseconds(paused_ns_.load(std::memory_order_relaxed));
    }

  private:
    bool is_empty() const { return inside_.load(std::memory_order_relaxed) == 0; }

    std::mutex pauses_;
    std::mutex mutex_;
    std::condition_variable outside_;
    std::condition_variable open_;
    std::atomic<unsigned> requests_{0};
    std::atomic<unsigned> stops_{0};
    std::atomic<unsigned> inside_{0};  // changes under mutex_
    std::atomic<int64_t> paused_ns_{0};
    std::atomic<uint64_t> count_{0};
};

}  // namespace vrdma::embedded
