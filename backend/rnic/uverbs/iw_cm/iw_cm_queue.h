// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "rnic/iw_cm.h"
#include "rnic/port_budgets.h"
#include "rnic/uverbs/iw_cm/iw_cm_id.h"

namespace vrdma::uverbs {

// The queue of what one guest's connection manager has yet to take: events, and requests for
// connections that it has neither accepted nor rejected.  One thread at a time.
class IwCmQueue {
  public:
    static constexpr size_t kMaxRequests = 512;

    // `sink` outlives the object, and learns when the queue has an event and had none before.
    explicit IwCmQueue(rnic::EventSink& sink) : sink_(sink) {}

    // What waits is charged to `events`.  Null: without limit.  Called before all else.
    void set_budget(Budget* events) { budget_ = events; }

    // `connection` is the charge of a connection whose last event this is.
    void push(rnic::IwCmEvent event, Charge connection = {});

    // Adds a request with its event, whose `request` is set here.
    // Drops the oldest request when there are kMaxRequests: a guest may lose requests, as when it
    // ends a listener that they are on their way to.
    void push_request(std::unique_ptr<IwCmId> cm_id, rnic::IwCmEvent event);

    // Takes a request out of the queue.  Null when there is no such request.
    std::unique_ptr<IwCmId> take_request(uint32_t request);

    std::optional<rnic::IwCmEvent> next_event();

    // Drops the events of a connection or a listener, and the requests that the guest has not
    // seen.  It may still accept those that it has seen.
    void forget(uint32_t id);

  private:
    void drop_oldest_request();

    // An event, and what is charged to the guest until it has taken the event.
    struct Waiting {
        rnic::IwCmEvent event;
        Charge charge;
        Charge connection;
    };

    rnic::EventSink& sink_;
    Budget* budget_ = nullptr;
    std::deque<Waiting> events_;
    std::map<uint32_t, std::unique_ptr<IwCmId>> requests_;  // the oldest first
    uint32_t next_request_ = 0;
};

}  // namespace vrdma::uverbs
