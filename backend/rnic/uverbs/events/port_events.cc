// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/events/port_events.h"

#include <infiniband/verbs.h>

#include <optional>

#include "rnic/uverbs/events/cq_arming.h"

namespace vrdma::uverbs {
namespace {

// The type of an event of a guest's own objects; none for others.  Events of the port and of the
// device come to every context: the daemon's own context reports them once.
std::optional<rnic::AsyncEventType> event_of_object(uint32_t type) {
    using rnic::AsyncEventType;
    switch (type) {
        case IBV_EVENT_CQ_ERR:
            return AsyncEventType::kCqError;
        case IBV_EVENT_QP_FATAL:
            return AsyncEventType::kQpFatal;
        case IBV_EVENT_QP_REQ_ERR:
            return AsyncEventType::kQpRequestError;
        case IBV_EVENT_QP_ACCESS_ERR:
            return AsyncEventType::kQpAccessError;
        case IBV_EVENT_COMM_EST:
            return AsyncEventType::kCommunicationEstablished;
        case IBV_EVENT_SQ_DRAINED:
            return AsyncEventType::kSqDrained;
        case IBV_EVENT_QP_LAST_WQE_REACHED:
            return AsyncEventType::kQpLastWqeReached;
        case IBV_EVENT_SRQ_ERR:
            return AsyncEventType::kSrqError;
        case IBV_EVENT_SRQ_LIMIT_REACHED:
            return AsyncEventType::kSrqLimitReached;
        default:
            return std::nullopt;
    }
}

}  // namespace

PortEvents::PortEvents(std::string guest, const VendorEntry& vendor, rnic::EventSink& sink,
                       std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)), vendor_(vendor), sink_(sink), log_(std::move(logger)) {}

void PortEvents::send_queue_rung(uint32_t handle) {
    // A library that rings by itself has no bell.
    const auto bell = send_queues_.find(handle);
    if (bell == nullptr) {
        return;
    }
    if (auto rung = bell->ring(); !rung && rung.error() != Errno{ENOENT}) {
        // EINVAL means that the queue pair is in a state in which nothing may be posted.  Natively
        // the library's system call would have told it so.
        log_.warn("{}: the RNIC does not take work requests of queue pair {}: {}", guest_, handle,
                  to_string(rung.error()));
    }
}

void PortEvents::arm(CqBell& cq, uint32_t handle, bool solicited_only) {
    auto armed = cq.arm(solicited_only);
    if (!armed && armed.error() != Errno{ENOENT}) {
        log_.warn("{}: the RNIC does not arm completion queue {}: {}", guest_, handle,
                  to_string(armed.error()));
        // Nobody must wait for ever for the queue's completions.
        sink_.async_event(rnic::AsyncEventType::kCqError, handle);
    }
}

void PortEvents::cq_rung(uint32_t handle) {
    const auto cq = cqs_.find(handle);
    if (cq == nullptr || area_ == nullptr || vendor_.cq_arming != Signal::kSystemCall) {
        return;
    }
    arm_rung_cq(&area_->cq_arm[handle],
                [&](bool solicited_only) { arm(*cq, handle, solicited_only); });
}

void PortEvents::completed(const ib_uverbs_comp_event_desc& event) {
    const auto cq = cqs_.find(event.cq_handle);
    if (cq == nullptr) {
        return;
    }
    const auto handle = static_cast<uint32_t>(event.cq_handle);
    if (vendor_.cq_arming == Signal::kSystemCall &&
        (area_ == nullptr || !take_completion(&area_->cq_arm[handle], [&](bool solicited_only) {
             arm(*cq, handle, solicited_only);
         }))) {
        return;
    }
    sink_.completion(cq->comp_vector(), handle);
}

void PortEvents::happened(const ib_uverbs_async_event_desc& event) {
    if (const auto type = event_of_object(event.event_type)) {
        sink_.async_event(*type, static_cast<uint32_t>(event.element));
    }
}

}  // namespace vrdma::uverbs
