// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <optional>

#include "rnic/embedded/contexts/receive_queue.h"
#include "rnic/embedded/sync/spin_lock.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class Pd;  // known here by its address only

// The data path's end of a receive queue that several queue pairs, and so several workers, take
// from.
class SrqContext {
  public:
    SrqContext(rnic::EventSink& sink, uint32_t handle, const Pd& pd,
               const rnic::SrqAttributes& attributes, ConsumerRing ring)
        : queue_(std::move(ring), attributes.max_sge),
          limit_(attributes.srq_limit),
          handle_(handle),
          pd_(pd),
          sink_(sink) {}

    // Takes the oldest receive request. None: the queue is empty.
    std::optional<WcStatus> take(ReceiveRequest& request);

    // The protection domain whose memory the requests may name (IBTA 1.4, 10.2.9.4).
    const Pd& pd() const { return pd_; }
    uint32_t handle() const { return handle_; }
    const Ring& ring() const { return queue_.ring(); }
    // The place of the request that is taken next. Called in a Pause.
    uint32_t index() const { return queue_.index(); }

    // The number of requests below which the guest is told once; 0: not armed.
    uint32_t limit() const;
    void arm_limit(uint32_t limit);
    // Takes the requests that wait along to `ring`, while workers go on. False, with nothing
    // changed, when there are too many. Called by the thread of the verbs.
    bool move_to(Ring& ring) { return queue_.move_to(ring, lock_); }

  private:
    bool take_limit();

    mutable SpinLock lock_;
    ReceiveQueue queue_;
    uint32_t limit_;
    const uint32_t handle_;
    const Pd& pd_;
    rnic::EventSink& sink_;
};

}  // namespace vrdma::embedded
