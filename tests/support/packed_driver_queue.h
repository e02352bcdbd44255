// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/virtio_ring.h>

#include <vector>

#include "support/driver_queue.h"

namespace vrdma::test {

// The driver's side of a packed virtqueue (virtio 1.2, 2.8).
class PackedDriverQueue : public DriverQueue {
  public:
    PackedDriverQueue(FakeMemory& memory, uint16_t size, uint64_t features);

    using DriverQueue::add;
    uint16_t add(std::span<const Buffer> buffers, bool indirect) override;
    std::optional<Used> take_used() override;
    bool kick_wanted() override;
    void enable_interrupts() override;
    void disable_interrupts() override;
    void forge(std::span<const RawDescriptor> descriptors) override;

    // Both wrap counters begin with 1 (2.8.1).
    uint32_t initial_base() const override { return 0x80008000; }

    // The ring itself, for what a proper driver does not do.
    vring_packed_desc* descriptors() const { return descriptors_; }
    vring_packed_desc_event* driver_event() const { return driver_event_; }
    vring_packed_desc_event* device_event() const { return device_event_; }

    // AVAIL and USED as an available descriptor has them in a round with this wrap counter.
    static uint16_t available_flags(bool wrap);

  private:
    bool event_idx() const;

    vring_packed_desc* descriptors_;
    vring_packed_desc_event* driver_event_;
    vring_packed_desc_event* device_event_;
    std::vector<uint16_t> free_ids_;
    std::vector<uint16_t> slots_;  // by id; 0 for one that is free
    uint16_t free_slots_;
    uint16_t next_available_ = 0;
    bool available_wrap_ = true;
    uint16_t added_ = 0;  // slots since the last kick
    uint16_t next_used_ = 0;
    bool used_wrap_ = true;
};

}  // namespace vrdma::test
