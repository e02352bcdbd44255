// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "file_descriptor.h"
#include "limit_counter.h"
#include "token_bucket.h"

namespace vrdma::device {

// How fast a guest's commands are executed.  The control thread asks before each command, and the
// timer wakes it when a command that had to wait may be executed.
class CommandRate {
  public:
    // `signal` is raised when a command has to wait; null for none.  Throws std::system_error when
    // the kernel has no descriptor left.
    explicit CommandRate(std::shared_ptr<LimitSignal> signal = nullptr);

    // `per_second`: 0 for no limit.  `burst`: commands that a guest that was silent may have at
    // once.
    void set(uint64_t per_second, uint64_t burst);

    // Whether a command may be executed now.  If not, timer_fd() is readable when one may.
    bool admits();
    // A command was executed.
    void count() { bucket_.take(1, now_ns()); }

    // A timerfd, non-blocking.
    int timer_fd() const { return timer_.get(); }
    // Makes the timer readable now.
    void wake();
    // Makes the timer unreadable.
    void clear_timer();

    // How often commands had to wait.  Any thread.
    uint64_t times_reached() const { return reached_.times(); }

  private:
    static uint64_t now_ns();
    void arm(uint64_t wait_ns);

    TokenBucket bucket_;
    FileDescriptor timer_;
    bool waiting_ = false;
    LimitCounter reached_;
};

}  // namespace vrdma::device
