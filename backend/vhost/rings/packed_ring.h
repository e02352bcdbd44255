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

// The device's side of a packed virtqueue (virtio 1.2, 2.8).  One thread at a time.
class PackedRing {
  public:
    // EINVAL for a layout that the specification forbids, EFAULT when it is not in memory.
    static Result<PackedRing> create(const RingLayout& layout, const memory::GuestMemory& memory,
                                     uint32_t base);

    // Finds the same ring after a change of the guest's memory.
    Result<void> relocate(const RingLayout& layout, const memory::GuestMemory& memory);

    RingResult<std::optional<TakenChain>> pop(ChainBuilder& chain);
    void push(const TakenChain& chain, uint32_t written);
    bool should_notify();
    bool enable_notifications();
    void disable_notifications();

    // The position of the next chain; rewind() goes back to an earlier position.
    uint16_t cursor() const { return next_available_.encode(); }
    void rewind(uint16_t cursor) { next_available_ = Position::decode(cursor); }

    // The position in the form of GET_VRING_BASE.
    uint32_t base() const { return next_available_.encode() | uint32_t{next_used_.encode()} << 16; }

  private:
    // An index into the ring with the wrap counter that goes with it (2.8.1).
    struct Position {
        uint16_t index = 0;
        bool wrap = true;

        uint16_t encode() const { return static_cast<uint16_t>(index | (wrap ? 1U << 15 : 0)); }
        static Position decode(uint16_t value) {
            return Position{static_cast<uint16_t>(value & 0x7fff), (value & 0x8000) != 0};
        }
        void advance(uint16_t count, uint16_t ring_size);
    };

    PackedRing() = default;
    bool available(const Position& position, uint16_t flags) const;
    RingResult<void> walk_indirect(const vring_packed_desc& table, ChainBuilder& chain) const;

    uint16_t size_ = 0;
    bool event_idx_ = false;
    bool indirect_ = false;

    // guest-controlled memory
    vring_packed_desc* descriptors_ = nullptr;
    vring_packed_desc_event* driver_event_ = nullptr;
    vring_packed_desc_event* device_event_ = nullptr;

    Position next_available_;
    Position next_used_;
    uint32_t unsignalled_ = 0;      // slots used since the last should_notify()
    bool signalled_valid_ = false;  // should_notify() was called before
};

}  // namespace vrdma::vhost
