// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/virtio_ring.h>

#include <vector>

#include "support/driver_queue.h"

namespace vrdma::test {

// The driver's side of a split virtqueue (virtio 1.2, 2.7).
class SplitDriverQueue : public DriverQueue {
  public:
    SplitDriverQueue(FakeMemory& memory, uint16_t size, uint64_t features);

    using DriverQueue::add;
    uint16_t add(std::span<const Buffer> buffers, bool indirect) override;
    std::optional<Used> take_used() override;
    bool kick_wanted() override;
    void enable_interrupts() override;
    void disable_interrupts() override;
    void forge(std::span<const RawDescriptor> descriptors) override;
    uint32_t initial_base() const override { return 0; }

    // The ring itself, for what a proper driver does not do.
    vring_desc* descriptors() const { return descriptors_; }
    vring_avail* available() const { return available_; }
    vring_used* used() const { return used_; }
    uint16_t* used_event() const { return available_->ring + size(); }
    uint16_t* available_event() const { return reinterpret_cast<uint16_t*>(used_->ring + size()); }

    // Puts `head` into the ring, and says that there are `count` entries more.
    void make_available(uint16_t head, uint16_t count = 1);

  private:
    bool event_idx() const;
    void write_chain(vring_desc* table, std::span<const uint16_t> slots,
                     std::span<const Buffer> buffers);

    vring_desc* descriptors_;
    vring_avail* available_;
    vring_used* used_;
    std::vector<uint16_t> free_;
    std::vector<std::vector<uint16_t>> chains_;  // by head
    uint16_t next_available_ = 0;
    uint16_t kicked_ = 0;
    uint16_t next_used_ = 0;
};

}  // namespace vrdma::test
