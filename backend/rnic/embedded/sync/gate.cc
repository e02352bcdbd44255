// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/sync/gate.h"

#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {
namespace {

// Turns and Pauses are shorter than the time that a thread takes to fall asleep and to wake up.
// Whoever waits for one looks for it a while, some microseconds, before it sleeps.
template <typename Condition>
void spin_until(const Condition& condition) {
    constexpr unsigned kSpins = 1000;
    for (unsigned i = 0; i < kSpins && !condition(); ++i) {
        cpu_relax();
    }
}

}  // namespace

void Gate::enter() {
    const auto is_open = [this] { return requests_.load(std::memory_order_relaxed) == 0; };
    spin_until(is_open);
    std::unique_lock lock(mutex_);
    open_.wait(lock, is_open);
    inside_.fetch_add(1, std::memory_order_relaxed);
}

void Gate::leave() {
    std::lock_guard lock(mutex_);
    if (inside_.fetch_sub(1, std::memory_order_relaxed) == 1) {
        outside_.notify_all();
    }
}

Gate::Closed::Closed(Gate& gate) : gate_(gate) {
    {
        const std::lock_guard lock(gate_.mutex_);
        gate_.requests_.fetch_add(1, std::memory_order_relaxed);
    }
    spin_until([this] { return gate_.is_empty(); });
    std::unique_lock lock(gate_.mutex_);
    gate_.outside_.wait(lock, [this] { return gate_.is_empty(); });
}

Gate::Closed::~Closed() {
    {
        std::lock_guard lock(gate_.mutex_);
        gate_.requests_.fetch_sub(1, std::memory_order_relaxed);
    }
    gate_.open_.notify_all();
}

Gate::Pause::Pause(Gate& gate)
    : gate_(gate),
      one_at_a_time_(gate.pauses_),
      closed_(gate),
      begun_(std::chrono::steady_clock::now()) {}

Gate::Pause::~Pause() {
    const std::chrono::nanoseconds lasted = std::chrono::steady_clock::now() - begun_;
    gate_.paused_ns_.fetch_add(lasted.count(), std::memory_order_relaxed);
    gate_.count_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace vrdma::embedded
