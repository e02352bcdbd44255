// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "rate_limited_log.h"
#include "rnic/rnic.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::device {

// Brings completion and asynchronous events into the guest's buffers.  Events wait here while
// the guest offers no buffer: completion events at most once for each CQ, asynchronous events up
// to kMaxWaitingEvents, which a guest that takes its events does not reach.
class EventDelivery : public rnic::EventSink {
  public:
    static constexpr size_t kMaxWaitingEvents = 4096;

    EventDelivery(std::string guest, std::shared_ptr<spdlog::logger> logger);

    // rnic::EventSink; any thread.
    void completion(uint32_t comp_vector, uint32_t cq_handle) override;
    void async_event(rnic::AsyncEventType type, uint32_t handle) override;

    // The virtqueue for asynchronous events, or of one completion vector, runs; null: it has
    // stopped.
    void set_event_virtqueue(vhost::Virtqueue* queue);
    void set_completion_virtqueue(uint32_t comp_vector, vhost::Virtqueue* queue);

    // The guest has kicked: it may have given buffers.
    void event_virtqueue_kicked();
    void completion_virtqueue_kicked(uint32_t comp_vector);

    // Forgets all events that wait.
    void clear();

  private:
    // A virtqueue for events, and the events that wait for a buffer of it.
    template <typename Event>
    struct Target {
        std::mutex mutex;  // guards what follows
        vhost::Virtqueue* queue = nullptr;
        std::deque<Event> waiting;
    };
    struct EventTarget : Target<vrdma_event> {
        void delivered(const vrdma_event&) {}
    };
    struct CompletionTarget : Target<vrdma_completion_event> {
        void delivered(const vrdma_completion_event& event) { is_waiting.erase(event.cq); }

        std::unordered_set<uint32_t>
            is_waiting;  // handles of CQs in little-endian, as in the events
    };

    template <typename SomeTarget>
    static void set_queue(SomeTarget& target, vhost::Virtqueue* queue);
    template <typename SomeTarget>
    static void kicked(SomeTarget& target);
    template <typename SomeTarget>
    static void deliver_locked(SomeTarget& target);

    const std::string guest_;
    EventTarget events_;
    std::array<CompletionTarget, VRDMA_MAX_COMP_VECTORS> completions_;
    RateLimitedLog log_;  // under events_.mutex
};

}  // namespace vrdma::device
