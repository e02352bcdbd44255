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

void CallQueue::call(QpContext& qp) {
    {
        const std::lock_guard lock(mutex_);
        calls_.push_back(&qp);
    }
    called_.store(true, std::memory_order_seq_cst);
    wake_sleeper();
}

void CallQueue::call_for_failed_cq() {
    cq_failed_.store(true, std::memory_order_seq_cst);
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

std::vector<QpContext*> CallQueue::take_calls() {
    std::vector<QpContext*> calls;
    const std::lock_guard lock(mutex_);
    calls.swap(calls_);
    called_.store(false, std::memory_order_relaxed);
    return calls;
}

void CallQueue::forget(const QpContext& qp) {
    const std::lock_guard lock(mutex_);
    std::erase(calls_, &qp);
}

}  // namespace vrdma::embedded
