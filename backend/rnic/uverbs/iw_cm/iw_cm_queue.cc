// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/iw_cm/iw_cm_queue.h"

#include <utility>

namespace vrdma::uverbs {

void IwCmQueue::push(rnic::IwCmEvent event, Charge connection) {
    events_.push_back({std::move(event), rnic::take(budget_), std::move(connection)});
    if (events_.size() == 1) {
        sink_.async_event(rnic::AsyncEventType::kIwCm, rnic::kGuestPort);
    }
}

void IwCmQueue::push_request(std::unique_ptr<IwCmId> cm_id, rnic::IwCmEvent event) {
    if (requests_.size() >= kMaxRequests) {
        drop_oldest_request();
    }
    event.request = next_request_++;
    requests_[event.request] = std::move(cm_id);
    push(std::move(event));
}

void IwCmQueue::drop_oldest_request() {
    const uint32_t oldest = requests_.begin()->first;
    std::erase_if(events_, [&](const Waiting& waiting) {
        return waiting.event.type == rnic::IwCmEvent::Type::kRequest &&
               waiting.event.request == oldest;
    });
    requests_.erase(requests_.begin());
}

std::unique_ptr<IwCmId> IwCmQueue::take_request(uint32_t request) {
    const auto found = requests_.find(request);
    if (found == requests_.end()) {
        return nullptr;
    }
    auto cm_id = std::move(found->second);
    requests_.erase(found);
    return cm_id;
}

std::optional<rnic::IwCmEvent> IwCmQueue::next_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    rnic::IwCmEvent event = std::move(events_.front().event);
    events_.pop_front();
    return event;
}

void IwCmQueue::forget(uint32_t id) {
    std::erase_if(events_, [&](const Waiting& waiting) {
        const rnic::IwCmEvent& event = waiting.event;
        if (event.id != id) {
            return false;
        }
        if (event.type == rnic::IwCmEvent::Type::kRequest) {
            requests_.erase(event.request);
        }
        return true;
    });
}

}  // namespace vrdma::uverbs
