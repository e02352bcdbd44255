// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The RNIC's ends of rxe's rings. The guest can write every byte of a ring at any time: its own
// index, the RNIC's index and the geometry. The RNIC decides by private copies, and masks what the
// guest decides before it is used.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "memory/guest_access.h"
#include "rnic/embedded/rings/ring_memory.h"
#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {

// The slots of a ring and their size in bytes, both powers of two. One slot stays empty, as in the
// kernel's rxe.
struct RingGeometry {
    uint32_t slots = 0;
    uint32_t element_size = 0;

    static RingGeometry fit(uint32_t elements, size_t element_size) {
        return {std::bit_ceil((elements == 0 ? 1 : elements) + 1),
                static_cast<uint32_t>(std::bit_ceil(
                    element_size < kMinElementSize ? kMinElementSize : element_size))};
    }
    uint32_t capacity() const { return slots - 1; }
    uint64_t bytes() const { return sizeof(rxe_queue_buf) + uint64_t{slots} * element_size; }
};

class Ring {
  public:
    Ring() = default;

    static Result<Ring> create(RingMemory& memory, RingGeometry geometry) {
        auto range = memory.allocate(geometry.bytes());
        if (!range) {
            return fail(range.error());
        }
        Ring ring;
        ring.range_ = std::move(*range);
        ring.header_ = reinterpret_cast<rxe_queue_buf*>(ring.range_.data());
        ring.mask_ = geometry.slots - 1;
        ring.shift_ = static_cast<uint32_t>(std::countr_zero(geometry.element_size));
        ring.header_->log2_elem_size = ring.shift_;
        ring.header_->index_mask = ring.mask_;
        return ring;
    }

    mminfo info() const {
        return {.offset = range_.offset(), .size = static_cast<uint32_t>(range_.size()), .pad = 0};
    }
    uint64_t bytes() const { return range_.size(); }
    uint32_t element_size() const { return uint32_t{1} << shift_; }
    uint32_t mask() const { return mask_; }
    std::byte* element(uint32_t index) const {
        return range_.data() + sizeof(rxe_queue_buf) + (size_t{index} << shift_);
    }
    rxe_queue_buf* header() const { return header_; }

  private:
    RingRange range_;
    rxe_queue_buf* header_ = nullptr;
    uint32_t mask_ = 0;
    uint32_t shift_ = 0;
};

// A send or receive queue: the guest produces, the RNIC consumes.
class ConsumerRing {
  public:
    ConsumerRing() = default;
    explicit ConsumerRing(Ring ring) : ring_(std::move(ring)) {}

    bool empty() const { return pending() == 0; }

    uint32_t pending() const {
        // Pairs with librxe's release store of producer_index: the element is there.
        const uint32_t producer =
            memory::load(&ring_.header()->producer_index, std::memory_order_acquire);
        return (producer - head_) & ring_.mask();
    }

    // guest-controlled
    std::span<const std::byte> front() const {
        return {ring_.element(head_), ring_.element_size()};
    }

    void pop() {
        head_ = (head_ + 1) & ring_.mask();
        // Pairs with librxe's acquire load in queue_full(): the element is read by now.
        memory::store(&ring_.header()->consumer_index, head_, std::memory_order_release);
    }

    // Forgets all that is posted (QP to RESET).
    void clear() {
        head_ = 0;
        memory::store(&ring_.header()->producer_index, 0, std::memory_order_relaxed);
        memory::store(&ring_.header()->consumer_index, 0, std::memory_order_release);
    }

    // Takes the elements that wait along to `ring`, an empty ring of such elements, and leaves the
    // old ring in its place. False, with nothing changed, when there are too many.
    bool move_to(Ring& ring) {
        const uint32_t waiting = pending();
        if (waiting > ring.mask()) {
            return false;
        }
        for (uint32_t i = 0; i < waiting; ++i) {
            std::memcpy(ring.element(i), ring_.element((head_ + i) & ring_.mask()),
                        ring_.element_size());
        }
        memory::store(&ring.header()->producer_index, waiting, std::memory_order_release);
        std::swap(ring_, ring);
        head_ = 0;
        return true;
    }

    const Ring& ring() const { return ring_; }

  private:
    Ring ring_;
    uint32_t head_ = 0;
};

// A completion queue: the RNIC produces, the guest consumes.
class ProducerRing {
  public:
    ProducerRing() = default;
    explicit ProducerRing(Ring ring) : ring_(std::move(ring)) {}

    // Room for one element, or null when the ring is full.
    std::byte* back() {
        const uint32_t next = (tail_ + 1) & ring_.mask();
        if (next == consumer_) [[unlikely]] {
            // Pairs with librxe's release store of consumer_index: it has read the element.
            consumer_ = memory::load(&ring_.header()->consumer_index, std::memory_order_acquire) &
                        ring_.mask();
            if (next == consumer_) {
                return nullptr;
            }
        }
        return ring_.element(tail_);
    }

    void push() {
        tail_ = (tail_ + 1) & ring_.mask();
        // The release half pairs with librxe's acquire load in queue_empty(). The store is
        // sequentially consistent because of the look at the arming that follows it.
        memory::store(&ring_.header()->producer_index, tail_, std::memory_order_seq_cst);
    }

    // Whether the guest has elements to consume.
    bool any_waiting() const {
        const uint32_t consumer =
            memory::load(&ring_.header()->consumer_index, std::memory_order_acquire);
        return (consumer & ring_.mask()) != tail_;
    }

    // Takes the elements that wait along to `ring`, an empty ring of such elements, and leaves the
    // old ring in its place. False, with nothing changed, when there are too many.
    bool move_to(Ring& ring) {
        // guest-controlled: read once, and its distance from the RNIC's index is masked
        const uint32_t consumer =
            memory::load(&ring_.header()->consumer_index, std::memory_order_acquire);
        const uint32_t waiting = (tail_ - consumer) & ring_.mask();
        if (waiting > ring.mask() || waiting > kMostToMove) {
            return false;
        }
        for (uint32_t i = 0; i < waiting; ++i) {
            std::memcpy(ring.element(i), ring_.element((consumer + i) & ring_.mask()),
                        ring_.element_size());
        }
        memory::store(&ring.header()->producer_index, waiting, std::memory_order_release);
        memory::store(&ring_.header()->consumer_index, tail_, std::memory_order_release);
        std::swap(ring_, ring);
        tail_ = waiting;
        consumer_ = 0;
        return true;
    }

    const Ring& ring() const { return ring_; }

    // All guests wait while elements are moved, 8 MiB at most.
    static constexpr uint32_t kMostToMove = 131071;

  private:
    Ring ring_;
    uint32_t tail_ = 0;
    uint32_t consumer_ = 0;  // as last read: elements up to it are free for certain
};

}  // namespace vrdma::embedded
