// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace vrdma::embedded {

class QpContext;  // known here by its address only

inline constexpr uint64_t kForever = std::numeric_limits<uint64_t>::max();

// Nanoseconds after which a message that nobody acknowledges is sent again, or kForever.
// `timeout` is the queue pair's attribute (IBTA 1.4, 9.7.6.1.3).
uint64_t transport_delay(uint8_t timeout);

// Nanoseconds after which a message is sent again whose receiver was not ready. `timer` is the
// receiver's attribute (IBTA 1.4, 9.7.5.2.8), `naks` how often it was not ready before.
uint64_t not_ready_delay(uint8_t timer, uint32_t naks);

// The retry timers that run on one worker.
class RetryTimers {
  public:
    struct Timer {
        uint64_t deadline_ns;
        QpContext* qp;
        uint64_t token;
        bool operator>(const Timer& other) const { return deadline_ns > other.deadline_ns; }
    };

    bool empty() const { return timers_.empty(); }
    uint64_t earliest_ns() const { return timers_.front().deadline_ns; }
    void push(const Timer& timer);
    // Takes the earliest, which must exist.
    Timer pop();
    void forget(const QpContext& qp);

  private:
    std::vector<Timer> timers_;  // a heap, the earliest first
};

}  // namespace vrdma::embedded
