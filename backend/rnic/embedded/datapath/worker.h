// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vrdma_doorbell.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "file_descriptor.h"
#include "rnic/embedded/datapath/requester.h"

namespace vrdma::embedded {

class Engine;
class Qp;
struct PortState;

// Polls the doorbells of its ports and executes the send queues of their queue
// pairs, in turns of bounded slices.
class Worker {
  public:
    // `observed`: there are other workers.
    Worker(Engine& engine, bool observed);
    ~Worker();

    // Polls on a thread of its own, spinning for `spin` before it sleeps.
    void start(std::chrono::nanoseconds spin);
    void stop();

    // One round: doorbells, timers, one slice.  False when there was nothing to do.
    bool poll_once();

    // A slice of work, of which GracePeriod must know.
    class Slice {
      public:
        // Sequentially consistent, before the keys are looked up.
        explicit Slice(Worker& worker) : number_(worker.observed_ ? &worker.slice_ : nullptr) {
            if (number_ != nullptr) number_->fetch_add(1, std::memory_order_seq_cst);
        }
        // The release is after the last access.
        ~Slice() {
            if (number_ == nullptr) return;
            number_->store(number_->load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }
        Slice(const Slice&) = delete;
        Slice& operator=(const Slice&) = delete;

      private:
        std::atomic<uint64_t>* number_;  // null: there is nobody who could look
    };
    // Odd during a slice, and another number for each.
    uint64_t slice() const { return slice_.load(std::memory_order_seq_cst); }

    // Makes this worker look at `qp`, one of its own, soon.  From any thread.
    void call(Qp& qp);
    // Makes it look at `port`'s failed CQs soon.  From any thread.
    void call_for_failed_cq();

    // In a Pause.
    void add(PortState& port);
    void remove(PortState& port);
    void watch(PortState& port, vrdma_doorbell_area* area, int notify_fd);
    void forget(Qp& qp);
    // Gives `qp`, one of its own, the slice that it has rung for: before a verb that ends it, or
    // that counts its completions.  Where posting is a system call, it has sent by then.
    void run_posted(Qp& qp);
    size_t ports() const { return ports_.size(); }

  private:
    struct Timer {
        uint64_t deadline;
        Qp* qp;
        uint64_t token;
        bool operator>(const Timer& other) const { return deadline > other.deadline; }
    };

    void run();
    void sleep();
    void wake();
    bool anything_to_do() const;
    void set_polling(bool polling);
    void collect(PortState& port);
    void collect_calls();
    void fail_queue_pairs();
    void expire_timers();
    void activate(Qp& qp);
    void run_slice();
    void run_slice(Qp& qp);
    bool rung(const Qp& qp) const;

    Engine& engine_;
    Requester requester_;
    std::vector<PortState*> ports_;

    // Active queue pairs, a list through Qp::next_active.
    Qp* first_ = nullptr;
    Qp* last_ = nullptr;

    const bool observed_;
    std::atomic<uint64_t> slice_{0};
    std::vector<Timer> timers_;  // a heap, the earliest first

    std::mutex calls_mutex_;
    std::vector<Qp*> calls_;
    std::atomic<bool> called_{false};
    std::atomic<bool> cq_failed_{false};

    FileDescriptor epoll_;
    FileDescriptor wake_;
    std::atomic<bool> sleeping_{false};
    std::atomic<bool> stop_{false};
    uint64_t spin_ns_ = 0;
    std::thread thread_;
};

}  // namespace vrdma::embedded
