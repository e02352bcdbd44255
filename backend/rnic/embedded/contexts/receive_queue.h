// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/work_request.h"

namespace vrdma::embedded {

// A ring of receive requests. The caller holds the lock of the queue pair or of the SRQ that the
// ring belongs to.
class ReceiveQueue {
  public:
    ReceiveQueue() = default;
    ReceiveQueue(ConsumerRing ring, uint32_t max_sge) : ring_(std::move(ring)), max_sge_(max_sge) {}

    bool empty() const { return ring_.empty(); }
    uint32_t pending() const { return ring_.pending(); }
    const Ring& ring() const { return ring_.ring(); }
    uint32_t index() const { return ring_.first(); }

    // Takes the oldest receive request, which must exist.
    WcStatus take(ReceiveRequest& request) {
        const WcStatus status = parse_receive_request(ring_.front(), max_sge_, request);
        ring_.pop();
        return status;
    }
    // Takes the oldest receive request, which must exist, for its wr_id alone.
    uint64_t take_flushed() {
        const uint64_t wr_id = parse_flushed_receive(ring_.front());
        ring_.pop();
        return wr_id;
    }

    // Called in a Pause.
    void clear() { ring_.clear(); }
    // Takes the requests that wait along to `ring`, and leaves the old one in its place; `lock` is
    // the queue's, and the caller does not hold it. False, with nothing changed, when there are too
    // many.
    template <typename Lock>
    bool move_to(Ring& ring, Lock& lock) {
        return RingMove(ring_, ring, lock).run(lock, ring.mask());
    }

  private:
    ConsumerRing ring_;
    uint32_t max_sge_ = 0;
};

}  // namespace vrdma::embedded
