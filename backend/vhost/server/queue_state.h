// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>
#include <cstdint>
#include <memory>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "result.h"
#include "state/files.h"
#include "vhost/device.h"
#include "vhost/rings/ring_layout.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::state {
class Vring;
}  // namespace vrdma::state

namespace vrdma::vhost {

// One ring of a connection in its states (vhost-user, "Ring states"): the device runs it
// while it is both started and enabled.  The connection's thread only.
class QueueState {
  public:
    // `device` and `signaller` outlive the queue.
    QueueState(uint16_t index, Device& device, EventfdSignaller& signaller,
               std::shared_ptr<spdlog::logger> logger);

    // Stops the ring if the device runs it.
    ~QueueState();
    QueueState(const QueueState&) = delete;
    QueueState& operator=(const QueueState&) = delete;

    // SET_VRING_NUM, ADDR and BASE.  EBUSY while the ring is started.
    Result<void> set_size(uint32_t size);
    Result<void> set_addresses(uint64_t descriptors, uint64_t driver, uint64_t device);
    Result<void> set_base(uint32_t base);

    // SET_VRING_KICK with a descriptor: starts the ring.
    Result<void> start(FileDescriptor kick, uint64_t features,
                       std::shared_ptr<const memory::GuestMemory> memory);

    // SET_VRING_ENABLE.
    void enable(bool enabled);

    // GET_VRING_BASE: stops the ring.
    uint32_t stop();

    void set_call(FileDescriptor call) { queue_.set_call(std::move(call)); }
    void set_error(FileDescriptor error) { queue_.set_error(std::move(error)); }

    // Stops the ring for a while, in which it changes in no other way, and has it go on: here, or
    // in the daemon's successor (save(), restore()).
    void suspend();
    Result<void> resume(std::shared_ptr<const memory::GuestMemory> memory);

    // Between the two.
    void save(state::Vring& vring, state::FilesToSend& files) const;
    // The queue is new.  Errors of the messages that set a ring up; EINVAL for what they do not
    // take either, EBADF for a file that is not there.
    Result<void> restore(const state::Vring& vring, state::ReceivedFiles& files, uint64_t features,
                         std::shared_ptr<const memory::GuestMemory> memory);

    // The guest's memory has changed.  Stops a ring whose memory was removed.
    void change_memory(std::shared_ptr<const memory::GuestMemory> memory);

    bool started() const { return started_; }

  private:
    void update();
    Result<FileDescriptor> take_eventfd(uint32_t number, state::ReceivedFiles& files);

    const uint16_t index_;
    Device& device_;
    EventfdSignaller& signaller_;
    Virtqueue queue_;
    RingLayout layout_;
    uint32_t base_ = 0;
    bool addressed_ = false;  // SET_VRING_ADDR has come
    bool started_ = false;
    bool enabled_ = false;
    bool lost_ = false;     // its memory was removed
    bool running_ = false;  // the device runs it
    bool suspended_ = false;
};

}  // namespace vrdma::vhost
