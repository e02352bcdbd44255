// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <rdma/ib_user_verbs.h>
#include <spdlog/logger.h>
#include <vrdma_doorbell.h>

#include <cstdint>
#include <memory>
#include <string>

#include "rate_limited_log.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/events/bell_table.h"
#include "rnic/uverbs/events/bells.h"
#include "rnic/uverbs/kernel/event_file.h"
#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {

// The traffic between one guest and its queues in the RNIC that needs no verb: doorbells one way,
// events the other.  All functions are for the worker's thread, except those of the tables.
class PortEvents {
  public:
    PortEvents(std::string guest, const VendorEntry& vendor, rnic::EventSink& sink,
               std::shared_ptr<spdlog::logger> logger);

    BellTable<SendQueueBell>& send_queues() { return send_queues_; }
    BellTable<CqBell>& cqs() { return cqs_; }

    // Tells where the CQs' arming is; null when the guest has no doorbell area.
    void use_area(vrdma_doorbell_area* area) { area_ = area; }

    // The guest has rung for the queue with this handle of the guest's, which may be any number.
    void send_queue_rung(uint32_t handle);
    void cq_rung(uint32_t handle);

    // The kernel has reported an event.
    void completed(const ib_uverbs_comp_event_desc& event);
    void happened(const ib_uverbs_async_event_desc& event);

  private:
    void arm(CqBell& cq, uint32_t handle, bool solicited_only);

    const std::string guest_;
    const VendorEntry& vendor_;
    rnic::EventSink& sink_;
    RateLimitedLog log_;
    vrdma_doorbell_area* area_ = nullptr;  // guest-controlled
    BellTable<SendQueueBell> send_queues_;
    BellTable<CqBell> cqs_;
};

// The completion channel of a context.
class CompletionChannel final : public EventFile {
  public:
    CompletionChannel(FileDescriptor fd, PortEvents& events)
        : EventFile(std::move(fd)), events_(events) {}
    State read_events() override {
        return read_each<ib_uverbs_comp_event_desc>(
            [this](const ib_uverbs_comp_event_desc& event) { events_.completed(event); });
    }

  private:
    PortEvents& events_;
};

// The asynchronous events of a context.
class AsyncEvents final : public EventFile {
  public:
    AsyncEvents(FileDescriptor fd, PortEvents& events)
        : EventFile(std::move(fd)), events_(events) {}
    State read_events() override {
        return read_each<ib_uverbs_async_event_desc>(
            [this](const ib_uverbs_async_event_desc& event) { events_.happened(event); });
    }

  private:
    PortEvents& events_;
};

}  // namespace vrdma::uverbs
