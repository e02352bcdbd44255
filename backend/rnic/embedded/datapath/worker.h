// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "rnic/embedded/contexts/call_queue.h"
#include "rnic/embedded/datapath/active_list.h"
#include "rnic/embedded/datapath/requester.h"
#include "rnic/embedded/datapath/retry_timers.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/sync/gate.h"
#include "rnic/embedded/sync/slice_counter.h"

namespace vrdma::embedded {

// Polls the doorbells of its ports and executes the send queues of their queue pairs, in turns of
// bounded slices.
class Worker {
  public:
    // `slices` are the counters of all workers; number `index` is this worker's. Throws
    // std::system_error when there are no file descriptors left.
    Worker(Gate& gate, Clock& clock, const Fabric& fabric, AtomicUnit& atomics,
           std::span<SliceCounter> slices, size_t index);
    ~Worker();
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    // Polls on a thread of its own, spinning for `spin` before it sleeps.
    void start(std::chrono::nanoseconds spin);
    void stop();

    // One round: doorbells, timers, one slice. False when there was nothing to do.
    bool poll_once();

    // The calls of other threads to this worker.
    CallQueue& calls() { return calls_; }

    // These four are called in a Pause.
    void add(PortContext& port);
    void remove(PortContext& port);
    void watch(PortContext& port, vrdma_doorbell_area* area, int notify_fd);
    void forget(QpContext& qp);
    // Gives `qp`, one of its own, the slice that it has rung for: before a verb that ends the
    // queue pair, or that counts its completions. Where posting is a system call, the queue pair
    // has sent by then.
    void run_posted(QpContext& qp);
    size_t ports() const { return ports_.size(); }

  private:
    void run();
    void sleep();
    int sleep_limit_ms() const;
    bool anything_to_do() const;
    void set_polling(bool polling);
    void collect(PortContext& port);
    bool look_for_missed();
    void collect_calls();
    void fail_queue_pairs();
    void fail_queue_pair(QpContext& qp);
    void expire_timers();
    void run_slice(QpContext& qp);

    Gate& gate_;
    Clock& clock_;
    Requester requester_;
    std::vector<PortContext*> ports_;
    ActiveList active_;
    SliceCounter* const observed_slices_;  // null: there is no other worker that could look
    RetryTimers timers_;
    CallQueue calls_;

    FileDescriptor epoll_;
    std::atomic<bool> stop_{false};
    uint64_t spin_ns_ = 0;
    unsigned slices_ = 0;
    std::thread thread_;
};

}  // namespace vrdma::embedded
