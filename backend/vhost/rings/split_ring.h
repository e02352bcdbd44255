// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/virtio_ring.h>

#include <cstdint>
#include <optional>

#include "memory/guest_memory.h"
#include "result.h"
#include "vhost/rings/chain_builder.h"
#include "vhost/rings/ring_layout.h"

namespace vrdma::vhost {

// The device's side of a split virtqueue (virtio 1.2, 2.7).  One thread at a time.
class SplitRing {
  public:
    // EINVAL for a layout that the specification forbids, EFAULT when it is not in memory.
    static Result<SplitRing> create(const RingLayout& layout, const memory::GuestMemory& memory,
                                    uint32_t base);

    // Finds the same ring after a change of the guest's memory.
    Result<void> relocate(const RingLayout& layout, const memory::GuestMemory& memory);

    RingResult<std::optional<TakenChain>> pop(ChainBuilder& chain);
    void push(const TakenChain& chain, uint32_t written);
    bool should_notify();
    bool enable_notifications();
    void disable_notifications();

    // The position of the next chain; rewind() goes back to an earlier position.
    uint16_t cursor() const { return next_available_; }
    void rewind(uint16_t cursor) { next_available_ = cursor; }

    // The position in the form of GET_VRING_BASE.
    uint32_t base() const { return next_available_; }

  private:
    SplitRing() = default;
    RingResult<void> walk_indirect(const vring_desc& table, ChainBuilder& chain) const;

    uint16_t size_ = 0;
    bool event_idx_ = false;
    bool indirect_ = false;

    // guest-controlled memory
    vring_desc* descriptors_ = nullptr;
    vring_avail* available_ = nullptr;
    vring_used* used_ = nullptr;

    uint16_t next_available_ = 0;
    uint16_t next_used_ = 0;
    uint16_t signalled_used_ = 0;   // next_used_ at the last should_notify()
    bool signalled_valid_ = false;  // should_notify() was called before
};

}  // namespace vrdma::vhost
