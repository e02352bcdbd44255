// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <mutex>

#include "file_descriptor.h"
#include "rnic/embedded/contexts/qp_list.h"

namespace vrdma::embedded {

// Takes what other threads ask one worker to look at, and wakes the worker.
class CallQueue {
  public:
    // Throws std::system_error when there is no eventfd left.
    CallQueue();

    // Makes the worker look at a queue pair, one of its own, soon. `qp` belongs to this queue. Any
    // thread.
    void call(QpLink& qp);
    // Makes the worker look for ports with a failed CQ soon. Any thread.
    void call_for_failed_cq();
    // Makes a worker that sleeps, or is about to, look around once more. Any thread.
    void wake();

    // The worker calls these. It sleeps on `wake_fd()`, edge-triggered.
    int wake_fd() const { return wake_.get(); }
    bool anything_noticed() const { return noticed_.load(std::memory_order_relaxed); }
    // The oldest call, or null.
    QpContext* take_call();
    bool has_failed_cq() const { return cq_failed_.load(std::memory_order_relaxed); }
    void take_failed_cq() { cq_failed_.store(false, std::memory_order_relaxed); }
    // After this the worker looks at anything_pending() and at the doorbells. The store is
    // sequentially consistent, and so is the look that follows: pairs with call(), which stores
    // first and then looks at sleeping_.
    void begin_sleep() { sleeping_.store(true, std::memory_order_seq_cst); }
    void end_sleep() { sleeping_.store(false, std::memory_order_relaxed); }
    bool anything_pending() const { return noticed_.load(std::memory_order_seq_cst); }

    // These are called in a Pause.
    bool is_asleep() const { return sleeping_.load(std::memory_order_relaxed); }
    void forget(QpLink& qp);

  private:
    void wake_sleeper();

    std::mutex mutex_;
    QpList calls_;  // under mutex_, and so are the links of its queue pairs
    std::atomic<bool> cq_failed_{false};
    // There may be calls or a failed CQ.
    std::atomic<bool> noticed_{false};
    std::atomic<bool> sleeping_{false};
    FileDescriptor wake_;
};

}  // namespace vrdma::embedded
