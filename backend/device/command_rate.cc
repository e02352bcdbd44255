// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/command_rate.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <chrono>
#include <system_error>

namespace vrdma::device {

CommandRate::CommandRate(std::shared_ptr<LimitSignal> signal)
    : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      reached_(std::move(signal)) {
    if (!timer_) {
        throw std::system_error(errno, std::generic_category(), "command rate");
    }
}

void CommandRate::set(uint64_t per_second, uint64_t burst) {
    bucket_.change(per_second, TokenBucket::time_of(per_second, burst), now_ns());
}

uint64_t CommandRate::now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

bool CommandRate::admits() {
    const uint64_t open_at_ns = bucket_.open_at_ns();
    const uint64_t now = open_at_ns == 0 ? 0 : now_ns();
    if (open_at_ns <= now) {
        waiting_ = false;
        return true;
    }
    if (!waiting_) {
        waiting_ = true;
        reached_.count();
    }
    arm(open_at_ns - now);
    return false;
}

void CommandRate::wake() {
    arm(1);  // a timer of zero is none
}

void CommandRate::clear_timer() {
    uint64_t expirations = 0;
    [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &expirations, sizeof(expirations));
}

void CommandRate::arm(uint64_t wait_ns) {
    constexpr uint64_t kNsPerSecond = 1'000'000'000;
    const itimerspec timer{.it_interval = {},
                           .it_value = {.tv_sec = static_cast<time_t>(wait_ns / kNsPerSecond),
                                        .tv_nsec = static_cast<long>(wait_ns % kNsPerSecond)}};
    // Fails for no value that can be here.
    (void)::timerfd_settime(timer_.get(), 0, &timer, nullptr);
}

}  // namespace vrdma::device
