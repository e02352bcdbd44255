// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vrdma_protocol.h>

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "device/rate_limited_log.h"
#include "rnic/rnic.h"
#include "vhost/virtqueue.h"

namespace vrdma::device {

// Brings completion and asynchronous events into the guest's buffers.  While the guest
// has none to offer they wait here: a CQ at most once, asynchronous events up to a
// number that a guest which takes its events does not reach.
class EventDelivery : public rnic::EventSink {
  public:
    static constexpr size_t kMaxWaitingEvents = 4096;

    EventDelivery(std::string guest, std::shared_ptr<spdlog::logger> logger);

    // rnic::EventSink; any thread.
    void completion(uint32_t comp_vector, uint32_t cq_handle) override;
    void async_event(rnic::AsyncEventType type, uint32_t handle) override;

    // The virtqueue for asynchronous events runs, or (null) no longer does.
    void set_event_queue(vhost::Virtqueue* queue);
    void set_completion_queue(uint32_t comp_vector, vhost::Virtqueue* queue);

    // The guest has kicked: it may have given buffers.
    void event_queue_kicked();
    void completion_queue_kicked(uint32_t comp_vector);

    // Forgets everything that waits.
    void clear();

  private:
    struct CompletionTarget {
        std::mutex mutex;  // guards what follows
        vhost::Virtqueue* queue = nullptr;
        std::deque<uint32_t> waiting;
        std::unordered_set<uint32_t> is_waiting;
    };
    struct EventTarget {
        std::mutex mutex;  // guards what follows
        vhost::Virtqueue* queue = nullptr;
        std::deque<vrdma_event> waiting;
    };

    void deliver(CompletionTarget& target);
    void deliver(EventTarget& target);

    const std::string guest_;
    EventTarget events_;
    std::array<CompletionTarget, VRDMA_MAX_COMP_VECTORS> completions_;
    RateLimitedLog log_;  // under events_.mutex
};

}  // namespace vrdma::device
