// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <utility>

namespace vrdma::embedded {

class QpContext;  // known here by its address only

inline constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

// Nanoseconds after which a message that nobody acknowledges is sent again, or kForever.
// `timeout` is the queue pair's attribute (IBTA 1.4, 9.7.6.1.3).
uint64_t transport_delay(uint8_t timeout);

// Nanoseconds after which a message is sent again whose receiver was not ready. `timer` is the
// receiver's attribute (IBTA 1.4, 9.7.5.2.8), `naks` how often it was not ready before.
uint64_t not_ready_delay(uint8_t timer, uint32_t naks);

// The retry timers that run on one worker, at most one for a queue pair.
class RetryTimers {
  public:
    bool empty() const { return timers_.empty(); }
    uint64_t earliest_ns() const { return timers_.begin()->first; }
    void push(uint64_t deadline_ns, QpContext& qp) { timers_.emplace(deadline_ns, &qp); }
    // Takes the earliest, which must exist.
    QpContext& pop() {
        QpContext& qp = *timers_.begin()->second;
        timers_.erase(timers_.begin());
        return qp;
    }
    // Nothing happens when there is no such timer.
    void erase(uint64_t deadline_ns, QpContext& qp) { timers_.erase({deadline_ns, &qp}); }

  private:
    std::set<std::pair<uint64_t, QpContext*>> timers_;
};

}  // namespace vrdma::embedded
