// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/event_delivery.h"

#include <endian.h>

#include <span>

namespace vrdma::device {
namespace {

uint32_t to_wire(rnic::AsyncEventType type) {
    switch (type) {
        case rnic::AsyncEventType::kCqError:
            return VRDMA_EVENT_CQ_ERR;
        case rnic::AsyncEventType::kQpFatal:
            return VRDMA_EVENT_QP_FATAL;
        case rnic::AsyncEventType::kQpRequestError:
            return VRDMA_EVENT_QP_REQ_ERR;
        case rnic::AsyncEventType::kQpAccessError:
            return VRDMA_EVENT_QP_ACCESS_ERR;
        case rnic::AsyncEventType::kCommunicationEstablished:
            return VRDMA_EVENT_COMM_EST;
        case rnic::AsyncEventType::kSqDrained:
            return VRDMA_EVENT_SQ_DRAINED;
        case rnic::AsyncEventType::kQpLastWqeReached:
            return VRDMA_EVENT_QP_LAST_WQE_REACHED;
        case rnic::AsyncEventType::kSrqError:
            return VRDMA_EVENT_SRQ_ERR;
        case rnic::AsyncEventType::kSrqLimitReached:
            return VRDMA_EVENT_SRQ_LIMIT_REACHED;
        case rnic::AsyncEventType::kPortActive:
            return VRDMA_EVENT_PORT_ACTIVE;
        case rnic::AsyncEventType::kPortError:
            return VRDMA_EVENT_PORT_ERR;
        case rnic::AsyncEventType::kGidChange:
            return VRDMA_EVENT_GID_CHANGE;
        case rnic::AsyncEventType::kIwCm:
            return VRDMA_EVENT_IW_CM;
        case rnic::AsyncEventType::kUcma:
            return VRDMA_EVENT_UCMA;
        case rnic::AsyncEventType::kDeviceFatal:
            return VRDMA_EVENT_DEVICE_FATAL;
    }
    return VRDMA_EVENT_DEVICE_FATAL;
}

// How often fill_buffer() tries to find a buffer for one event.  It often runs on a thread of
// the RNIC that serves other guests as well.  A driver that goes on offering buffers that are too
// small must not keep that thread; the event then waits for the next event or kick.
constexpr int kMaxAttempts = 64;

// Fills one buffer of the guest with `event`.  Returns false when the guest offers no buffer
// now or the ring has failed.  Buffers that are too small are given back empty.
template <typename Event>
bool fill_buffer(vhost::Virtqueue& queue, const Event& event) {
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
        auto chain = queue.pop();
        if (!chain) {
            return false;
        }
        if (!*chain) {
            // A kick is wanted only while an event waits for a buffer.
            if (!queue.enable_notifications()) {
                return false;
            }
            queue.disable_notifications();
            continue;
        }
        const bool fits = (*chain)->write(0, std::as_bytes(std::span(&event, 1))).has_value();
        queue.push(std::move(**chain), fits ? sizeof(event) : 0);
        if (fits) {
            return true;
        }
    }
    queue.enable_notifications();
    return false;
}

}  // namespace

EventDelivery::EventDelivery(std::string guest, std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), log_(std::move(logger)) {}

void EventDelivery::completion(uint32_t comp_vector, uint32_t cq_handle) {
    CompletionTarget& target = completions_[comp_vector % completions_.size()];
    const std::lock_guard lock(target.mutex);
    const vrdma_completion_event event{.cq = htole32(cq_handle), .reserved = 0};
    if (target.is_waiting.insert(event.cq).second) {
        target.waiting.push_back(event);
    }
    deliver_locked(target);
}

void EventDelivery::async_event(rnic::AsyncEventType type, uint32_t handle) {
    const std::lock_guard lock(events_.mutex);
    // kDeviceFatal must not get lost (docs/spec.md, "Loss of the RNIC"); it comes once.
    if (events_.waiting.size() >= kMaxWaitingEvents && type != rnic::AsyncEventType::kDeviceFatal) {
        log_.warn("{}: an asynchronous event is lost: {} wait already and the guest takes none",
                  guest_, events_.waiting.size());
        return;
    }
    events_.waiting.push_back(
        vrdma_event{.type = htole32(to_wire(type)), .handle = htole32(handle)});
    deliver_locked(events_);
}

template <typename SomeTarget>
void EventDelivery::deliver_locked(SomeTarget& target) {
    if (target.queue == nullptr) {
        return;
    }
    while (!target.waiting.empty() && fill_buffer(*target.queue, target.waiting.front())) {
        target.delivered(target.waiting.front());
        target.waiting.pop_front();
    }
    target.queue->notify();
}

template <typename SomeTarget>
void EventDelivery::set_queue(SomeTarget& target, vhost::Virtqueue* queue) {
    const std::lock_guard lock(target.mutex);
    target.queue = queue;
    if (queue != nullptr) {
        queue->disable_notifications();
    }
    deliver_locked(target);
}

template <typename SomeTarget>
void EventDelivery::kicked(SomeTarget& target) {
    const std::lock_guard lock(target.mutex);
    if (target.queue != nullptr) {
        target.queue->clear_kick();
        target.queue->disable_notifications();
    }
    deliver_locked(target);
}

void EventDelivery::set_event_virtqueue(vhost::Virtqueue* queue) {
    set_queue(events_, queue);
}

void EventDelivery::set_completion_virtqueue(uint32_t comp_vector, vhost::Virtqueue* queue) {
    set_queue(completions_.at(comp_vector), queue);
}

void EventDelivery::event_virtqueue_kicked() {
    kicked(events_);
}

void EventDelivery::completion_virtqueue_kicked(uint32_t comp_vector) {
    kicked(completions_.at(comp_vector));
}

void EventDelivery::clear() {
    {
        const std::lock_guard lock(events_.mutex);
        events_.waiting.clear();
    }
    for (CompletionTarget& target : completions_) {
        const std::lock_guard lock(target.mutex);
        target.waiting.clear();
        target.is_waiting.clear();
    }
}

}  // namespace vrdma::device
