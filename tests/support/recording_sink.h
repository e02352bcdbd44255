// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "rnic/rnic.h"

namespace vrdma::test {

// Remembers what an RNIC reports to a guest, for tests that count it or wait for it.  Reports
// may come from any thread.
class RecordingSink : public rnic::EventSink {
  public:
    using Completion = std::pair<uint32_t, uint32_t>;  // vector, CQ
    using Event = std::pair<rnic::AsyncEventType, uint32_t>;

    void completion(uint32_t comp_vector, uint32_t cq_handle) override {
        const std::lock_guard lock(mutex_);
        completions_.emplace_back(comp_vector, cq_handle);
        changed_.notify_all();
    }
    void async_event(rnic::AsyncEventType type, uint32_t handle) override {
        const std::lock_guard lock(mutex_);
        events_.emplace_back(type, handle);
        changed_.notify_all();
    }

    // Everything so far, after waiting for `count` of them or for half a minute.
    std::vector<Completion> completions(size_t count) { return wait(completions_, count); }
    std::vector<Event> events(size_t count) { return wait(events_, count); }

    // The number of completion events of a CQ so far.
    unsigned completions_of(uint32_t cq_handle) {
        const std::lock_guard lock(mutex_);
        return static_cast<unsigned>(
            std::ranges::count(completions_, cq_handle, &Completion::second));
    }

    // The vector of the latest completion event; all ones before the first.
    uint32_t last_vector() {
        const std::lock_guard lock(mutex_);
        return completions_.empty() ? UINT32_MAX : completions_.back().first;
    }

    // How often an asynchronous event has come so far.
    unsigned events(rnic::AsyncEventType type, uint32_t handle) {
        const std::lock_guard lock(mutex_);
        return static_cast<unsigned>(std::ranges::count(events_, Event{type, handle}));
    }

  private:
    template <typename T>
    std::vector<T> wait(const std::vector<T>& from, size_t count) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, std::chrono::seconds(30), [&] { return from.size() >= count; });
        return from;
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Completion> completions_;
    std::vector<Event> events_;
};

}  // namespace vrdma::test
