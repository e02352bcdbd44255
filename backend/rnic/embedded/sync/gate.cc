// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/sync/gate.h"

namespace vrdma::embedded {

void Gate::enter() {
    std::unique_lock lock(mutex_);
    open_.wait(lock, [this] { return requests_.load(std::memory_order_relaxed) == 0; });
    ++inside_;
}

void Gate::leave() {
    std::lock_guard lock(mutex_);
    if (--inside_ == 0) {
        outside_.notify_all();
    }
}

Gate::Pause::Pause(Gate& gate) : gate_(gate), one_at_a_time_(gate.pauses_) {
    std::unique_lock lock(gate_.mutex_);
    gate_.requests_.fetch_add(1, std::memory_order_relaxed);
    gate_.outside_.wait(lock, [this] { return gate_.inside_ == 0; });
}

Gate::Pause::~Pause() {
    {
        std::lock_guard lock(gate_.mutex_);
        gate_.requests_.fetch_sub(1, std::memory_order_relaxed);
    }
    gate_.open_.notify_all();
}

}  // namespace vrdma::embedded
