// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "file_descriptor.h"

namespace vrdma::embedded {

class QpContext;  // known here by its address only

// Takes what other threads ask one worker to look at, and wakes the worker.
class CallQueue {
  public:
    // Throws std::system_error when there is no eventfd left.
    CallQueue();

    // Makes the worker look at `qp`, one of its own, soon. Any thread.
    void call(QpContext& qp);
    // Makes the worker look for ports with a failed CQ soon. Any thread.
    void call_for_failed_cq();
    // Makes a worker that sleeps, or is about to, look around once more. Any thread.
    void wake();

    // The worker calls these. It sleeps on `wake_fd()`, edge-triggered.
    int wake_fd() const { return wake_.get(); }
    bool has_calls() const { return called_.load(std::memory_order_relaxed); }
    std::vector<QpContext*> take_calls();
    bool has_failed_cq() const { return cq_failed_.load(std::memory_order_relaxed); }
    void take_failed_cq() { cq_failed_.store(false, std::memory_order_relaxed); }
    // After this the worker looks at anything_pending() and at the doorbells. The store is
    // sequentially consistent, and so is the look that follows: pairs with call(), which stores
    // first and then looks at sleeping_.
    void begin_sleep() { sleeping_.store(true, std::memory_order_seq_cst); }
    void end_sleep() { sleeping_.store(false, std::memory_order_relaxed); }
    bool anything_pending() const {
        return called_.load(std::memory_order_seq_cst) ||
               cq_failed_.load(std::memory_order_seq_cst);
    }

    // These are called in a Pause.
    bool is_asleep() const { return sleeping_.load(std::memory_order_relaxed); }
    void forget(const QpContext& qp);

  private:
    void wake_sleeper();

    std::mutex mutex_;
    std::vector<QpContext*> calls_;  // under mutex_
    std::atomic<bool> called_{false};
    std::atomic<bool> cq_failed_{false};
    std::atomic<bool> sleeping_{false};
    FileDescriptor wake_;
};

}  // namespace vrdma::embedded
