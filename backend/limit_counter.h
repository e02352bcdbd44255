// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "file_descriptor.h"

namespace vrdma {

// Says that guests have reached limits, so that whoever tells of it sleeps as long as none has.
// Any thread raises it, one lowers it.
class LimitSignal {
  public:
    // Throws std::system_error when the kernel has no descriptor left.
    LimitSignal() : ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (!ready_) {
            throw std::system_error(errno, std::generic_category(), "signal of limits");
        }
    }

    // Costs a system call only if the signal is low.
    void raise() {
        // Pairs with lower(): either that one sees what was counted before, or this one sees that
        // the signal is low and makes it readable again.
        if (!raised_.exchange(true, std::memory_order_acq_rel)) {
            ::eventfd_write(ready_.get(), 1);
        }
    }
    // For before the counts are read.
    void lower() {
        eventfd_t ignored;
        // First, as it would take away what a raise() after the exchange has written.
        ::eventfd_read(ready_.get(), &ignored);
        raised_.exchange(false, std::memory_order_acq_rel);  // pairs with raise()
    }
    // An eventfd, readable while the signal is raised.
    int fd() const { return ready_.get(); }

  private:
    FileDescriptor ready_;
    std::atomic<bool> raised_ = false;
};

// How often a guest has reached a limit.  Any thread.
class LimitCounter {
  public:
    // `signal` is raised at each count; null for none.
    explicit LimitCounter(std::shared_ptr<LimitSignal> signal = nullptr)
        : signal_(std::move(signal)) {}

    void count() {
        times_.fetch_add(1, std::memory_order_relaxed);
        if (signal_ != nullptr) {
            signal_->raise();
        }
    }
    uint64_t times() const { return times_.load(std::memory_order_relaxed); }

  private:
    const std::shared_ptr<LimitSignal> signal_;
    std::atomic<uint64_t> times_ = 0;
};

}  // namespace vrdma
