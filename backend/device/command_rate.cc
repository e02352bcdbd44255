// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/command_rate.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <system_error>

namespace vrdma::device {

CommandRate::CommandRate() : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
    if (!timer_) {
        throw std::system_error(errno, std::generic_category(), "command rate");
    }
}

void CommandRate::set(uint64_t per_second, uint64_t burst) {
    bucket_.set(per_second, burst, TokenBucket::Time::clock::now());
}

bool CommandRate::admits() {
    const auto wait = bucket_.wait(TokenBucket::Time::clock::now());
    if (wait == TokenBucket::Duration::zero()) {
        waiting_ = false;
        return true;
    }
    if (!waiting_) {
        waiting_ = true;
        reached_.fetch_add(1, std::memory_order_relaxed);
    }
    arm(wait);
    return false;
}

void CommandRate::wake() {
    arm(TokenBucket::Duration(1));  // a timer of zero is none
}

void CommandRate::clear_timer() {
    uint64_t expirations = 0;
    [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof(expirations));
}

void CommandRate::arm(TokenBucket::Duration wait) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
    const itimerspec timer{
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(),
                     .tv_nsec = std::chrono::nanoseconds(wait - seconds).count()}};
    // Fails for no value that can be here.
    (void)::timerfd_settime(timer_.get(), 0, &timer, nullptr);
}

}  // namespace vrdma::device
