// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The interface of a virtio device that is served over vhost-user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "memory/guest_memory.h"
#include "result.h"
#include "vhost/protocol/backend_requests.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::state {
class Device;
class FilesToSend;
class ReceivedFiles;
}  // namespace vrdma::state

namespace vrdma::vhost {

// All calls come from the connection's one thread, one at a time, and none may wait
// for the VMM: the VMM may be waiting for this thread.  The device outlives the
// connections to it.
class Device {
  public:
    virtual ~Device() = default;

    // Device-specific feature bits to offer, besides those of the transport.
    virtual uint64_t features() const = 0;

    // How many virtqueues the device has; the same for its whole life.
    virtual uint16_t queue_count() const = 0;

    // Configuration space, of which the driver reads `out.size()` bytes from `offset`
    // or the VMM writes `in`.  Offset and length are guest-controlled.
    virtual Result<void> read_config(uint32_t offset, std::span<std::byte> out) = 0;
    virtual Result<void> write_config(uint32_t offset, std::span<const std::byte> in) = 0;

    // A VMM has connected; features, memory and queues follow.
    virtual void connected() = 0;

    // The VMM is gone.  Before this call every running queue was stopped and every outstanding
    // back-end request failed; memory that nobody holds on to is unmapped after it.
    virtual void disconnected() = 0;

    // The feature bits that the driver accepted, among features() and the transport's bits.
    virtual void features_negotiated(uint64_t features) = 0;

    // The guest's memory is now `memory`.  Ranges of the memory before stay mapped for as
    // long as someone holds their region.
    virtual void memory_changed(std::shared_ptr<const memory::GuestMemory> memory) = 0;

    // Queue `index` runs: the device may use `queue`, from any thread, until it has
    // returned from stop_queue(index).  Buffers may be available already.
    virtual void start_queue(uint16_t index, Virtqueue& queue) = 0;

    // Returns when the device no longer touches the queue and has given back every
    // chain of it, by push() or unpop().  Must not wait for the answer to a back-end request:
    // answers arrive on this very thread.
    virtual void stop_queue(uint16_t index) = 0;

    // The guest was reset: everything that the guest had is to be freed.  Its queues are stopped.
    virtual void reset() = 0;

    // Back-end requests can be made through `channel`.  It replaces an earlier one, whose
    // outstanding requests have failed with ECONNRESET.
    virtual void backend_requests_ready(std::shared_ptr<BackendRequests> channel) = 0;

    // Writes all that the guest has, for a successor's restore(), while the queues are stopped and
    // no back-end request is outstanding.  EOPNOTSUPP from a device that ends with its process.
    virtual Result<void> save(state::Device& /*state*/, state::FilesToSend& /*files*/) {
        return fail(EOPNOTSUPP);
    }

    // In place of connected(), and of memory_changed() the first time: the VMM is one that
    // another process has served, where save() wrote `state`.  After an error disconnected()
    // follows.
    virtual Result<void> restore(
        const state::Device& /*state*/, state::ReceivedFiles& /*files*/,
        // NOLINTNEXTLINE(performance-unnecessary-value-param): devices keep it
        std::shared_ptr<const memory::GuestMemory> /*memory*/) {
        return fail(EOPNOTSUPP);
    }
};

}  // namespace vrdma::vhost
