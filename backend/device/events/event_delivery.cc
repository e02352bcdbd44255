// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/events/event_delivery.h"

#include <endian.h>
#include <sys/eventfd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <system_error>

#include "probes.h"
#include "state/device.pb.h"

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
        case rnic::AsyncEventType::kLidChange:
            return VRDMA_EVENT_LID_CHANGE;
        case rnic::AsyncEventType::kPkeyChange:
            return VRDMA_EVENT_PKEY_CHANGE;
        case rnic::AsyncEventType::kSmChange:
            return VRDMA_EVENT_SM_CHANGE;
        case rnic::AsyncEventType::kClientReregister:
            return VRDMA_EVENT_CLIENT_REREGISTER;
        case rnic::AsyncEventType::kIwCm:
            return VRDMA_EVENT_IW_CM;
        case rnic::AsyncEventType::kUcma:
            return VRDMA_EVENT_UCMA;
        case rnic::AsyncEventType::kDeviceFatal:
            return VRDMA_EVENT_DEVICE_FATAL;
    }
    return VRDMA_EVENT_DEVICE_FATAL;
}

// How often fill_buffer() tries to find a buffer for one event.  A driver that goes on offering
// buffers that are too small must not keep whoever stops the queue waiting; the event then waits
// for the next event or kick.
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
    : guest_(std::move(guest)),
      log_(std::move(logger)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) {
        throw std::system_error(errno, std::generic_category(), "events");
    }
}

void EventDelivery::completion(uint32_t comp_vector, uint32_t cq_handle) {
    VRDMA_PROBE3(completion__event, guest_.c_str(), cq_handle, comp_vector);
    if (reported_cqs_.insert(cq_handle, static_cast<uint8_t>(comp_vector % completions_.size()))) {
        reported();
    }
}

void EventDelivery::async_event(rnic::AsyncEventType type, uint32_t handle) {
    const vrdma_event event{.type = htole32(to_wire(type)), .handle = htole32(handle)};
    VRDMA_PROBE3(async__event, guest_.c_str(), to_wire(type), handle);
    if (type == rnic::AsyncEventType::kDeviceFatal) {
        reported_events_.push_end(event);
    } else {
        reported_events_.push(event);
    }
    reported();
}

// Sequentially consistent, as is what was done to the reports before: pairs with begin_sleep().
void EventDelivery::reported() {
    if (asleep_.load(std::memory_order_seq_cst) &&
        asleep_.exchange(false, std::memory_order_seq_cst)) {
        wake();
    }
}

void EventDelivery::wake() {
    ::eventfd_write(wake_.get(), 1);
}

bool EventDelivery::begin_sleep() {
    asleep_.store(true, std::memory_order_seq_cst);
    if (reported_cqs_.empty() && !reported_events_.changed() &&
        kicked_completions_.load(std::memory_order_seq_cst) == 0 &&
        !kicked_events_.load(std::memory_order_seq_cst)) {
        return true;
    }
    end_sleep();
    return false;
}

void EventDelivery::set_virtqueue(uint16_t index, vhost::Virtqueue* queue) {
    Target& target =
        index == VRDMA_VQ_EVENT ? events_ : completions_.at(index - VRDMA_VQ_COMPLETION);
    target.wanted.store(true, std::memory_order_relaxed);
    {
        const std::lock_guard lock(target.mutex);
        target.queue = queue;
        target.wanted.store(false, std::memory_order_relaxed);
    }
    if (queue != nullptr) {
        kicked(index);
        reported();
    }
}

void EventDelivery::kicked(uint16_t index) {
    if (index == VRDMA_VQ_EVENT) {
        kicked_events_.store(true, std::memory_order_seq_cst);
    } else {
        kicked_completions_.fetch_or(uint64_t{1} << (index - VRDMA_VQ_COMPLETION),
                                     std::memory_order_seq_cst);
    }
}

void EventDelivery::clear() {
    const std::lock_guard lock(deliver_mutex_);
    reported_cqs_.take([](uint32_t, uint8_t) {});
    for (WaitingCqs::List& waiting : waiting_) {
        waiting_cqs_.clear(waiting);
    }
    reported_events_.clear();
}

void EventDelivery::save(state::Device& state) {
    const std::lock_guard lock(deliver_mutex_);
    collect();
    for (uint32_t vector = 0; vector < waiting_.size(); ++vector) {
        waiting_cqs_.for_each(waiting_[vector], [&](uint32_t handle) {
            state::Completion& completion = *state.add_completions();
            completion.set_cq(handle);
            completion.set_comp_vector(vector);
        });
    }
    for (const vrdma_event& event : reported_events_.all()) {
        state.add_events(&event, sizeof(event));
    }
}

Result<void> EventDelivery::restore(const state::Device& state) {
    for (const state::Completion& completion : state.completions()) {
        if (completion.cq() >= VRDMA_DB_MAX_HANDLES ||
            completion.comp_vector() >= completions_.size()) {
            return fail(EINVAL);
        }
        reported_cqs_.insert(completion.cq(), static_cast<uint8_t>(completion.comp_vector()));
    }
    for (const std::string& bytes : state.events()) {
        vrdma_event event{};
        if (bytes.size() != sizeof(event)) {
            return fail(EINVAL);
        }
        std::memcpy(&event, bytes.data(), sizeof(event));
        reported_events_.push(event);
    }
    return {};
}

void EventDelivery::deliver() {
    const std::lock_guard lock(deliver_mutex_);
    const uint64_t kicks = kicked_completions_.exchange(0, std::memory_order_acq_rel);
    uint64_t vectors = collect() | kicks;
    for (; vectors != 0; vectors &= vectors - 1) {
        const auto vector = static_cast<size_t>(std::countr_zero(vectors));
        deliver(completions_[vector], waiting_[vector], (kicks >> vector & 1) != 0);
    }
    const bool kick = kicked_events_.exchange(false, std::memory_order_acq_rel);
    if (reported_events_.take_changed() || kick) {
        deliver(events_, reported_events_, kick);
        tell_lost_events();
    }
}

// Moves the reports of CQs to the lists of their vectors.  Returns which ones got any, as a mask.
uint64_t EventDelivery::collect() {
    static_assert(VRDMA_MAX_COMP_VECTORS <= 64);
    uint64_t vectors = 0;
    reported_cqs_.take([&](uint32_t handle, uint8_t vector) {
        waiting_cqs_.push_back(waiting_[vector], handle);
        vectors |= uint64_t{1} << vector;
    });
    return vectors;
}

template <typename Waiting>
void EventDelivery::deliver(Target& target, Waiting& waiting, bool kicked) {
    const std::lock_guard lock(target.mutex);
    if (target.queue == nullptr) {
        return;
    }
    if (kicked) {
        target.queue->disable_notifications();
    }
    // Whoever waits for the mutex stops the queue, and waits for one event at most.
    while (!target.wanted.load(std::memory_order_relaxed) && deliver_next(*target.queue, waiting)) {
    }
    target.queue->notify();
}

bool EventDelivery::deliver_next(vhost::Virtqueue& queue, WaitingCqs::List& waiting) {
    if (waiting.empty() ||
        !fill_buffer(queue,
                     vrdma_completion_event{.cq = htole32(waiting.front()), .reserved = 0})) {
        return false;
    }
    waiting_cqs_.pop_front(waiting);
    return true;
}

bool EventDelivery::deliver_next(vhost::Virtqueue& queue, ReportedEvents& waiting) {
    const auto event = waiting.front();
    if (!event || !fill_buffer(queue, *event)) {
        return false;
    }
    waiting.pop();
    return true;
}

void EventDelivery::tell_lost_events() {
    if (const uint64_t lost = reported_events_.take_lost(); lost != 0) {
        log_.warn("{}: {} asynchronous events are lost: {} wait already and the guest takes none",
                  guest_, lost, ReportedEvents::kMax);
    }
}

}  // namespace vrdma::device
