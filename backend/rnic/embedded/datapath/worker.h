// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "rnic/embedded/contexts/call_queue.h"
#include "rnic/embedded/datapath/port_work.h"
#include "rnic/embedded/datapath/requester.h"
#include "rnic/embedded/datapath/retry_timers.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/sync/gate.h"
#include "rnic/embedded/sync/slice_counter.h"

namespace vrdma::embedded {

// Polls the doorbells of its ports and executes the send queues of their queue pairs, in turns that
// are bounded. The ports share the worker by what their work costs (PortWork); the queue pairs of a
// port take turns.
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

    // One round: doorbells, timers, one turn. False when there was nothing to do.
    bool poll_once();

    // The calls of other threads to this worker.
    CallQueue& calls() { return calls_; }

    // These eight are called in a Pause.
    void add(PortContext& port);
    void remove(PortContext& port);
    void watch(PortContext& port, vrdma_doorbell_area* area, int notify_fd);
    void limit(const PortContext& port, const rnic::TrafficLimits& limits);
    void forget(QpContext& qp);
    // Gives `qp`, one of its own, the turn that it has rung for: before a verb that ends the
    // queue pair, or that counts its completions. Where posting is a system call, the queue pair
    // has sent by then.
    void run_posted(QpContext& qp);
    // The nanoseconds until the retry timer of `qp`, which waits, ends; kForever when none does.
    uint64_t time_left_ns(const QpContext& qp) const;
    // Has `qp` wait as it did in another process.
    void wait_again(QpContext& qp, uint64_t time_left_ns);
    size_t ports() const { return ports_.size(); }

  private:
    void run();
    void sleep();
    void count_notification(uint64_t tag);
    bool watch_all();
    int sleep_limit_ms() const;
    bool anything_to_do() const;
    void set_polling(bool polling);
    PortWork* next_port();
    bool may_send(const PortWork& work);
    bool run_turn(PortWork* work, QpContext* posted);
    QpContext* collect(PortWork& work);
    bool look_for_missed();
    void rebase_virtual_time();
    void collect_calls();
    void find_failed_cqs();
    void fail_queue_pairs(PortWork& work);
    void expire_timers();
    void stop_timer(QpContext& qp);
    void run_queue_pair(PortWork& work, QpContext& qp);
    static void charge_wasted(PortWork& work, const Turn& turn);

    Gate& gate_;
    Clock& clock_;
    const uint64_t clock_overhead_ns_;
    Requester requester_;
    std::vector<std::unique_ptr<PortWork>> ports_;
    uint64_t virtual_now_ = 0;  // see PortWork
    uint64_t now_ns_ = 0;       // the clock, as it was read for ports that wait for their rates
    SliceCounter* const observed_slices_;  // null: there is no other worker that could look
    RetryTimers timers_;
    CallQueue calls_;

    FileDescriptor epoll_;
    std::atomic<bool> stop_{false};
    uint64_t spin_ns_ = 0;
    // Turns after which a worker that always has some looks at the doorbells of CQs, and at the
    // clock.
    static constexpr unsigned kTurnsPerLook = 64;
    unsigned turns_to_look_ = kTurnsPerLook;
    bool contended_ = false;  // several ports have had turns of late
    std::thread thread_;
};

}  // namespace vrdma::embedded
