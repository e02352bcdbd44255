// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "device/events/event_delivery.h"
#include "device/shm/doorbell_area.h"
#include "device/shm/vmm_shm.h"
#include "device/verbs/verbs.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// Passes on what the RNIC reports.  The guest hears that the RNIC is gone only when everything
// that the RNIC gave has been destroyed.
class SessionEvents : public rnic::EventSink {
  public:
    // `lost_fd`, an eventfd that outlives the object, becomes readable when the RNIC is gone, or
    // the host has changed.  A command that waits for the VMM's answer to `shm` ends when the RNIC
    // is gone, since the thread that lets go of the RNIC executes it.
    SessionEvents(EventDelivery& delivery, VmmShm& shm, int lost_fd)
        : delivery_(delivery), shm_(shm), lost_fd_(lost_fd) {}

    void completion(uint32_t comp_vector, uint32_t cq_handle) override;
    void async_event(rnic::AsyncEventType type, uint32_t handle) override;
    void host_changed() override { ::eventfd_write(lost_fd_, 1); }

    bool rnic_lost() const { return rnic_lost_.load(std::memory_order_acquire); }

  private:
    EventDelivery& delivery_;
    VmmShm& shm_;
    const int lost_fd_;
    std::atomic<bool> rnic_lost_ = false;
};

// All that a guest has between two resets.  `port` and `verbs` are null when there is no RNIC,
// or the RNIC is gone.
struct Session {
    Session(EventDelivery& delivery, VmmShm& shm, int lost_fd, DoorbellArea doorbells = {})
        : events(delivery, shm, lost_fd), doorbells(std::move(doorbells)) {}

    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Destroys everything that the RNIC gave.  The doorbell area stays.
    void let_go_of_rnic();

    SessionEvents events;
    DoorbellArea doorbells;
    std::unique_ptr<rnic::Port> port;
    std::unique_ptr<Verbs> verbs;
};

}  // namespace vrdma::device
