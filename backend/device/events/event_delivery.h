// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "device/events/reported_cqs.h"
#include "device/events/reported_events.h"
#include "device/events/waiting_cqs.h"
#include "file_descriptor.h"
#include "rate_limited_log.h"
#include "rnic/rnic.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::state {
class Device;
}  // namespace vrdma::state

namespace vrdma::device {

// Brings completion and asynchronous events into the guest's buffers.
//
// The RNIC's threads, which serve other guests as well, only note what has happened, and wake the
// guest's own thread for events (EventThread) if it sleeps.  That thread alone touches the guest's
// rings.  Events wait here while the guest offers no buffer: completion events at most once for
// each CQ, asynchronous events up to ReportedEvents::kMax.
class EventDelivery : public rnic::EventSink {
  public:
    // Throws std::system_error when the kernel has no descriptor left.
    EventDelivery(std::string guest, std::shared_ptr<spdlog::logger> logger);

    // rnic::EventSink; any thread.  These wait for nothing that a guest or a VMM does.
    void completion(uint32_t comp_vector, uint32_t cq_handle) override;
    void async_event(rnic::AsyncEventType type, uint32_t handle) override;

    // Virtqueue `index`, VRDMA_VQ_EVENT or that of a completion vector, runs; null: it has
    // stopped, and is not touched any more.
    void set_virtqueue(uint16_t index, vhost::Virtqueue* queue);

    // Forgets all events that wait.
    void clear();

    // Writes the events that wait, and adds those that were written.  No virtqueue runs.  EINVAL
    // for what is no event.
    void save(state::Device& state);
    Result<void> restore(const state::Device& state);

    // --- for the guest's thread for events ---

    // Fills the guest's buffers with events, as far as there are both.
    void deliver();

    // The guest has kicked this virtqueue: it may have given buffers.
    void kicked(uint16_t index);

    // The thread sleeps from now on, and wake_fd() is written to when there is something to
    // deliver.  False: there is already, and the thread is awake.
    bool begin_sleep();
    void end_sleep() { asleep_.store(false, std::memory_order_relaxed); }
    int wake_fd() const { return wake_.get(); }
    void wake();

  private:
    // A virtqueue for events.
    struct Target {
        std::atomic<bool> wanted = false;  // somebody waits for the mutex
        std::mutex mutex;                  // held while the virtqueue is touched; guards queue
        vhost::Virtqueue* queue = nullptr;
    };

    void reported();
    uint64_t collect();
    bool deliver_next(vhost::Virtqueue& queue, WaitingCqs::List& waiting);
    bool deliver_next(vhost::Virtqueue& queue, ReportedEvents& waiting);
    template <typename Waiting>
    void deliver(Target& target, Waiting& waiting, bool kicked);
    void tell_lost_events();

    const std::string guest_;
    RateLimitedLog log_;  // the thread for events only

    ReportedCqs reported_cqs_;
    ReportedEvents reported_events_;
    std::atomic<bool> asleep_ = false;
    FileDescriptor wake_;

    // The virtqueues to look at although nothing was reported.
    std::atomic<uint64_t> kicked_completions_ = 0;
    std::atomic<bool> kicked_events_ = false;

    Target events_;
    std::array<Target, VRDMA_MAX_COMP_VECTORS> completions_;

    // Held for a whole deliver().  Guards what follows, and the removal from the reports.
    std::mutex deliver_mutex_;
    WaitingCqs waiting_cqs_;
    std::array<WaitingCqs::List, VRDMA_MAX_COMP_VECTORS> waiting_;
};

}  // namespace vrdma::device
