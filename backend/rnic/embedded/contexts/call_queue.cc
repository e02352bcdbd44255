// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/contexts/call_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace vrdma::embedded {

CallQueue::CallQueue() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) {
        throw std::system_error(errno, std::generic_category(), "embedded RNIC: eventfd");
    }
}

void CallQueue::call(QpLink& qp) {
    {
        const std::lock_guard lock(mutex_);
        calls_.push(qp);
    }
    noticed_.store(true, std::memory_order_seq_cst);
    wake_sleeper();
}

void CallQueue::call_for_failed_cq() {
    {
        const std::lock_guard lock(mutex_);
        cq_failed_.store(true, std::memory_order_relaxed);
    }
    noticed_.store(true, std::memory_order_seq_cst);
    wake_sleeper();
}

// Sequentially consistent, after a store of the same order: pairs with begin_sleep().
void CallQueue::wake_sleeper() {
    if (sleeping_.load(std::memory_order_seq_cst)) {
        wake();
    }
}

void CallQueue::wake() {
    const uint64_t one = 1;
    // The write can only fail when the counter is full, and then the worker is awake already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

QpContext* CallQueue::take_call() {
    const std::lock_guard lock(mutex_);
    if (calls_.empty()) {
        noticed_.store(has_failed_cq(), std::memory_order_relaxed);
        return nullptr;
    }
    return &calls_.pop();
}

void CallQueue::forget(QpLink& qp) {
    const std::lock_guard lock(mutex_);
    calls_.remove(qp);
}

}  // namespace vrdma::embedded
