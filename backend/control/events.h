// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "file_descriptor.h"

namespace vrdma::control {

// Something that happened.
struct Event {
    std::string_view kind;  // with static storage
    std::string guest;
    nlohmann::json details = nlohmann::json::object();
    uint64_t missed = 0;  // events of the guest before this one that were left out
    std::chrono::system_clock::time_point time{};
};

// The event as the parameters of a notification.
nlohmann::json to_json(const Event& event);

// Events on their way from the threads that serve guests to the one that tells clients.  A guest
// can make events as often as it likes: it gets twenty at once and one a second in the long run,
// and the next one says how many were left out.
class EventQueue {
  public:
    static constexpr unsigned kBurst = 20;       // events of one guest
    static constexpr size_t kMaxWaiting = 4096;  // events of all guests

    // Throws std::system_error when the kernel has no descriptor left.
    EventQueue();

    // Adds an event, or counts it as left out.  Waits for nobody; any thread.
    void push(std::string_view kind, const std::string& guest,
              nlohmann::json details = nlohmann::json::object());

    // Takes the events that wait, in their order.
    std::vector<Event> take();

    // An eventfd, readable when events wait.
    int fd() const { return ready_.get(); }

  private:
    using Clock = std::chrono::steady_clock;
    struct Allowance {
        Clock::time_point next{};
        uint64_t missed = 0;
    };

    FileDescriptor ready_;
    std::mutex mutex_;  // guards what follows
    std::vector<Event> waiting_;
    std::map<std::string, Allowance> allowances_;  // by guest
};

// The last events, for clients that come later.  One thread.
class EventHistory {
  public:
    static constexpr size_t kSize = 256;

    void add(nlohmann::json event) {
        events_.push_back(std::move(event));
        if (events_.size() > kSize) {
            events_.pop_front();
        }
    }
    nlohmann::json all() const { return events_; }

  private:
    std::deque<nlohmann::json> events_;
};

}  // namespace vrdma::control
