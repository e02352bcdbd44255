// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/events.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

namespace vrdma::control {

nlohmann::json to_json(const Event& event) {
    using std::chrono::milliseconds;
    const auto since = std::chrono::duration_cast<milliseconds>(event.time.time_since_epoch());
    const std::time_t seconds = std::chrono::system_clock::to_time_t(event.time);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    nlohmann::json document = event.details;
    document["event"] = event.kind;
    document["guest"] = event.guest;
    document["time"] = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, since.count() % 1000);
    if (event.missed != 0) {
        document["missed"] = event.missed;
    }
    return document;
}

EventQueue::EventQueue() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!ready_) {
        throw std::system_error(errno, std::generic_category(), "queue of events");
    }
}

void EventQueue::push(std::string_view kind, const std::string& guest, nlohmann::json details) {
    constexpr Clock::duration kInterval = std::chrono::seconds(1);
    const auto now = Clock::now();
    {
        const std::lock_guard lock(mutex_);
        Allowance& allowance = allowances_[guest];
        if (now < allowance.next - kInterval * (kBurst - 1) || waiting_.size() >= kMaxWaiting) {
            ++allowance.missed;
            return;
        }
        allowance.next = std::max(now, allowance.next) + kInterval;
        waiting_.push_back({.kind = kind,
                            .guest = guest,
                            .details = std::move(details),
                            .missed = std::exchange(allowance.missed, 0),
                            .time = std::chrono::system_clock::now()});
    }
    ::eventfd_write(ready_.get(), 1);
}

std::vector<Event> EventQueue::take() {
    eventfd_t ignored;
    ::eventfd_read(ready_.get(), &ignored);
    const std::lock_guard lock(mutex_);
    return std::exchange(waiting_, {});
}

}  // namespace vrdma::control
