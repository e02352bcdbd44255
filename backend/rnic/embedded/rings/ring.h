// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The RNIC's ends of rxe's rings. The guest can write every byte of a ring at any time: its own
// index, the RNIC's index and the geometry. The RNIC decides by private copies, and masks what the
// guest decides before it is used.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
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
        Ring ring(std::move(*range), geometry);
        ring.header_->log2_elem_size = ring.shift_;
        ring.header_->index_mask = ring.mask_;
        return ring;
    }

    // A ring that is there already: its header and elements stay. What the header says of the
    // geometry does not count. Errors of RingMemory::adopt().
    static Result<Ring> adopt(RingMemory& memory, uint64_t offset, RingGeometry geometry) {
        auto range = memory.adopt(offset, geometry.bytes());
        if (!range) {
            return fail(range.error());
        }
        return Ring(std::move(*range), geometry);
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
    Ring(RingRange range, RingGeometry geometry)
        : range_(std::move(range)),
          header_(reinterpret_cast<rxe_queue_buf*>(range_.data())),
          mask_(geometry.slots - 1),
          shift_(static_cast<uint32_t>(std::countr_zero(geometry.element_size))) {}

    RingRange range_;
    rxe_queue_buf* header_ = nullptr;
    uint32_t mask_ = 0;
    uint32_t shift_ = 0;
};

// A send or receive queue: the guest produces, the RNIC consumes.
class ConsumerRing {
  public:
    ConsumerRing() = default;
    // `index` is of the element that is consumed next; at most the ring's mask.
    explicit ConsumerRing(Ring ring, uint32_t index = 0) : ring_(std::move(ring)), head_(index) {}

    bool empty() const { return pending() == 0; }

    uint32_t pending() const {
        // Pairs with librxe's release store of producer_index: the element is there.
        const uint32_t producer =
            memory::load(&ring_.header()->producer_index, std::memory_order_acquire);
        return (producer - head_) & ring_.mask();
    }

    // Whether the indexes in the header differ; guest-controlled. Any thread.
    bool header_says_posted() const {
        const rxe_queue_buf* header = ring_.header();
        return memory::load(&header->producer_index, std::memory_order_acquire) !=
               memory::load(&header->consumer_index, std::memory_order_relaxed);
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

    // These three move the elements that wait to another ring, see RingMove.
    uint32_t first() const { return head_; }
    uint32_t end() const {
        return memory::load(&ring_.header()->producer_index, std::memory_order_acquire) &
               ring_.mask();
    }
    void replace(Ring& ring, uint32_t count, uint32_t taken) {
        memory::store(&ring.header()->consumer_index, taken, std::memory_order_relaxed);
        memory::store(&ring.header()->producer_index, count, std::memory_order_release);
        std::swap(ring_, ring);
        head_ = taken;
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
    // `index` is of the element that is produced next; at most the ring's mask.
    ProducerRing(Ring ring, uint32_t index)
        : ring_(std::move(ring)), tail_(index), consumer_(first()) {}

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

    // These three move the elements that wait to another ring, see RingMove.
    uint32_t first() const {
        // guest-controlled
        return memory::load(&ring_.header()->consumer_index, std::memory_order_acquire) &
               ring_.mask();
    }
    uint32_t end() const { return tail_; }
    void replace(Ring& ring, uint32_t count, uint32_t) {
        memory::store(&ring.header()->producer_index, count, std::memory_order_release);
        memory::store(&ring_.header()->consumer_index, tail_, std::memory_order_release);
        std::swap(ring_, ring);
        tail_ = count;
        consumer_ = 0;
    }

    const Ring& ring() const { return ring_; }

  private:
    Ring ring_;
    uint32_t tail_ = 0;
    uint32_t consumer_ = 0;  // as last read: elements up to it are free for certain
};

// Moves the elements of a queue that wait to `to`, an empty ring of such elements, while workers
// use the queue. What waits is copied without the queue's lock, which is held for a few elements
// and the exchange of the rings.
template <typename Queue>
class RingMove {
  public:
    // How many elements are copied at most while the lock is held.
    static constexpr uint32_t kMostUnderLock = 64;

    // `queue` is a ProducerRing or a ConsumerRing, and `lock` is its lock.
    template <typename Lock>
    RingMove(Queue& queue, Ring& to, Lock& lock) : queue_(queue), to_(to) {
        const std::lock_guard guard(lock);
        first_ = queue_.first();
    }

    // False, with nothing changed, when more than `most` elements wait, or more than the new ring
    // has room for. `ring` is the old one afterwards.
    template <typename Lock>
    bool run(Lock& lock, uint32_t most) {
        for (;;) {
            uint32_t count;
            {
                const std::lock_guard guard(lock);
                count = since_first(queue_.end());
                // guest-controlled: a guest that goes on while its queue is moved may make less of
                // it.
                if (count > to_.mask() || count > most || count < copied_) {
                    return false;
                }
                if (count - copied_ <= kMostUnderLock) {
                    copy_to(count);
                    queue_.replace(to_, count, std::min(since_first(queue_.first()), count));
                    return true;
                }
            }
            copy_to(count);
        }
    }

  private:
    uint32_t since_first(uint32_t index) const { return (index - first_) & queue_.ring().mask(); }
    void copy_to(uint32_t count) {
        const Ring& from = queue_.ring();
        for (; copied_ < count; ++copied_) {
            std::memcpy(to_.element(copied_), from.element((first_ + copied_) & from.mask()),
                        from.element_size());
        }
    }

    Queue& queue_;
    Ring& to_;
    uint32_t first_ = 0;
    uint32_t copied_ = 0;
};

}  // namespace vrdma::embedded
