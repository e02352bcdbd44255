// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

#include "rnic/embedded/contexts/receive_queue.h"
#include "rnic/embedded/contexts/srq_context.h"
#include "rnic/embedded/contexts/traffic.h"
#include "rnic/embedded/sync/spin_lock.h"

namespace vrdma::embedded {

// The responder's half of a queue pair. Workers of different ports meet here: whoever calls more
// than establish() holds the lock.
class ReceiveState {
  public:
    // `srq` is null, or else takes the place of `queue`.
    ReceiveState(ReceiveQueue queue, SrqContext* srq) : queue_(std::move(queue)), srq_(srq) {}

    void lock() { lock_.lock(); }
    void unlock() { lock_.unlock(); }

    // Whether a request is taken from the queue and not completed.
    bool is_open() const { return open_; }
    // Takes the oldest request. None: the queue is empty.
    std::optional<WcStatus> open() {
        std::optional<WcStatus> status;
        if (srq_ != nullptr) {
            status = srq_->take(request_);
        } else if (!queue_.empty()) {
            status = queue_.take(request_);
        }
        if (status) {
            open_ = true;
        }
        return status;
    }
    void close() { open_ = false; }
    void count(uint64_t bytes) {
        received_.messages.add(1);
        received_.bytes.add(bytes);
    }
    const Received& received() const { return received_; }
    const ReceiveRequest& request() const { return request_; }
    // The protection domain whose memory the request may name: the SRQ's, or else the queue pair's.
    const Pd& memory_pd(const Pd& own) const { return srq_ != nullptr ? srq_->pd() : own; }

    bool has_srq() const { return srq_ != nullptr; }
    // The queue pair's own ring, which it does not have with an SRQ.
    const Ring& ring() const { return queue_.ring(); }
    bool anything_posted() const { return !queue_.empty(); }
    uint64_t take_flushed() { return queue_.take_flushed(); }

    // True for the first message, before which the queue pair was not told to send.
    bool establish() { return !established_.exchange(true, std::memory_order_relaxed); }
    // True once: nothing more of the SRQ will be consumed.
    bool report_last_wqe() { return !std::exchange(last_wqe_reported_, true); }

    uint32_t index() const { return queue_.index(); }
    // What a successor goes on from. Both are called in a Pause.
    struct Progress {
        bool established = false;
        bool last_wqe_reported = false;
        std::optional<ReceiveRequest> open;
        uint64_t messages = 0;
        uint64_t bytes = 0;
    };
    Progress progress() const {
        return {.established = established_.load(std::memory_order_relaxed),
                .last_wqe_reported = last_wqe_reported_,
                .open = open_ ? std::optional(request_) : std::nullopt,
                .messages = received_.messages.value(),
                .bytes = received_.bytes.value()};
    }
    void go_on(const Progress& progress) {
        established_.store(progress.established, std::memory_order_relaxed);
        last_wqe_reported_ = progress.last_wqe_reported;
        open_ = progress.open.has_value();
        request_ = progress.open.value_or(ReceiveRequest{});
        received_.messages.add(progress.messages);
        received_.bytes.add(progress.bytes);
    }

    // Forgets all that is posted (QP to RESET). Called in a Pause.
    void reset() {
        if (srq_ == nullptr) {
            queue_.clear();
        }
        open_ = false;
        last_wqe_reported_ = false;
        established_.store(false, std::memory_order_relaxed);
    }

  private:
    SpinLock lock_;  // the SRQ has a lock of its own
    ReceiveQueue queue_;
    SrqContext* srq_;
    bool open_ = false;
    bool last_wqe_reported_ = false;
    ReceiveRequest request_;
    Received received_;
    std::atomic<bool> established_{false};
};

}  // namespace vrdma::embedded
