// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/split_ring.h"

#include <bit>

#include "memory/guest_access.h"
#include "vhost/feature_bit.h"
#include "vhost/rings/full_barrier.h"

// The rings are little-endian (virtio 1.2, 1.4), and accessed without conversion.
static_assert(std::endian::native == std::endian::little);

namespace vrdma::vhost {
namespace {

constexpr uint16_t kMaxSplitSize = 32768;  // 2.7

// 2.7: sizes of the three parts, the event index at the end of the last two included.
constexpr size_t available_bytes(uint16_t size) {
    return sizeof(vring_avail) + sizeof(uint16_t) * size + sizeof(uint16_t);
}

constexpr size_t used_bytes(uint16_t size) {
    return sizeof(vring_used) + sizeof(vring_used_elem) * size + sizeof(uint16_t);
}

uint16_t* used_event(vring_avail* available, uint16_t size) {
    return available->ring + size;
}

uint16_t* available_event(vring_used* used, uint16_t size) {
    return reinterpret_cast<uint16_t*>(used->ring + size);
}

}  // namespace

Result<SplitRing> SplitRing::create(const RingLayout& layout, const memory::GuestMemory& memory,
                                    uint32_t base) {
    if (!std::has_single_bit(layout.size) || layout.size > kMaxSplitSize || base > UINT16_MAX ||
        layout.descriptors % VRING_DESC_ALIGN_SIZE != 0 ||
        layout.driver % VRING_AVAIL_ALIGN_SIZE != 0 || layout.device % VRING_USED_ALIGN_SIZE != 0) {
        return fail(EINVAL);
    }
    SplitRing ring;
    ring.size_ = layout.size;
    ring.event_idx_ = (layout.features & bit(VIRTIO_RING_F_EVENT_IDX)) != 0;
    ring.indirect_ = (layout.features & bit(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
    ring.next_available_ = static_cast<uint16_t>(base);
    if (auto located = ring.relocate(layout, memory); !located) {
        return fail(located.error());
    }
    // The base says what was taken; what was given back is in the ring itself.
    ring.next_used_ = memory::load(&ring.used_->idx, std::memory_order_relaxed);
    return ring;
}

Result<void> SplitRing::relocate(const RingLayout& layout, const memory::GuestMemory& memory) {
    auto descriptors = memory.translate_vmm(layout.descriptors, sizeof(vring_desc) * size_);
    auto available = memory.translate_vmm(layout.driver, available_bytes(size_));
    auto used = memory.translate_vmm(layout.device, used_bytes(size_));
    if (!descriptors || !available || !used) {
        return fail(EFAULT);
    }
    descriptors_ = reinterpret_cast<vring_desc*>(descriptors->data);
    available_ = reinterpret_cast<vring_avail*>(available->data);
    used_ = reinterpret_cast<vring_used*>(used->data);
    return {};
}

RingResult<std::optional<TakenChain>> SplitRing::pop(ChainBuilder& chain) {
    // 2.7.13.3: pairs with the driver's barrier between filling descriptors and ring entry
    // and publishing them by idx.
    const uint16_t available = memory::load(&available_->idx, std::memory_order_acquire);
    const auto waiting = static_cast<uint16_t>(available - next_available_);
    if (waiting == 0) {
        return std::nullopt;
    }
    if (waiting > size_) {
        return ring_error("the available index is ahead by more than the ring's size");
    }
    const uint16_t head =
        memory::load(&available_->ring[next_available_ % size_], std::memory_order_relaxed);
    uint16_t index = head;
    while (true) {
        if (index >= size_) {
            return ring_error("a descriptor index is out of range");
        }
        const auto descriptor = memory::copy_from_guest<vring_desc>(&descriptors_[index]);
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            if (auto walked = walk_indirect(descriptor, chain); !walked) {
                return tl::unexpected(walked.error());
            }
            break;
        }
        const bool writable = (descriptor.flags & VRING_DESC_F_WRITE) != 0;
        if (auto added = chain.add(descriptor.addr, descriptor.len, writable); !added) {
            return tl::unexpected(added.error());
        }
        if ((descriptor.flags & VRING_DESC_F_NEXT) == 0) {
            break;
        }
        index = descriptor.next;
    }
    ++next_available_;
    return TakenChain{head, 1};
}

// 2.7.5.3: the table ends the chain; its own WRITE flag means nothing.
RingResult<void> SplitRing::walk_indirect(const vring_desc& table, ChainBuilder& chain) const {
    if (!indirect_) {
        return ring_error("an indirect descriptor, which was not negotiated");
    }
    if (table.flags & VRING_DESC_F_NEXT) {
        return ring_error("an indirect descriptor is followed by another one");
    }
    if (table.len == 0 || table.len % sizeof(vring_desc) != 0) {
        return ring_error("an indirect table's length is not a multiple of a descriptor");
    }
    const uint32_t count = table.len / sizeof(vring_desc);
    if (count > size_) {
        return ring_error("an indirect table is longer than the queue");
    }
    auto range = chain.translate(table.addr, table.len);
    if (!range) {
        return tl::unexpected(range.error());
    }
    uint32_t index = 0;
    while (true) {
        const auto descriptor =
            memory::copy_from_guest<vring_desc>(range->data + index * sizeof(vring_desc));
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            return ring_error("an indirect descriptor in an indirect table");
        }
        const bool writable = (descriptor.flags & VRING_DESC_F_WRITE) != 0;
        if (auto added = chain.add(descriptor.addr, descriptor.len, writable); !added) {
            return added;
        }
        if ((descriptor.flags & VRING_DESC_F_NEXT) == 0) {
            return {};
        }
        index = descriptor.next;
        if (index >= count) {
            return ring_error("a descriptor index is outside its indirect table");
        }
    }
}

void SplitRing::push(const TakenChain& chain, uint32_t written) {
    memory::copy_to_guest(&used_->ring[next_used_ % size_], vring_used_elem{chain.id, written});
    ++next_used_;
    // 2.7.8: pairs with the driver's barrier between reading idx and the used element; also
    // orders what the device wrote into the buffers before it.
    memory::store(&used_->idx, next_used_, std::memory_order_release);
}

bool SplitRing::should_notify() {
    // 2.7.7 and 2.7.10: pairs with the driver's barrier between asking for an interrupt
    // (flags, used_event) and looking at the used index once more.
    full_barrier();
    if (!event_idx_) {
        const uint16_t flags = memory::load(&available_->flags, std::memory_order_relaxed);
        return (flags & VRING_AVAIL_F_NO_INTERRUPT) == 0;
    }
    const uint16_t event = memory::load(used_event(available_, size_), std::memory_order_relaxed);
    const uint16_t before = signalled_used_;
    const bool valid = signalled_valid_;
    signalled_used_ = next_used_;
    signalled_valid_ = true;
    return !valid || vring_need_event(event, next_used_, before) != 0;
}

bool SplitRing::enable_notifications() {
    if (event_idx_) {
        memory::store(available_event(used_, size_), next_available_, std::memory_order_relaxed);
    } else {
        memory::store(&used_->flags, 0, std::memory_order_relaxed);
    }
    // 2.7.10.1: pairs with the driver's barrier between publishing idx and looking whether a
    // kick is wanted.  Either it sees our wish, or we see its chain.
    full_barrier();
    return memory::load(&available_->idx, std::memory_order_relaxed) != next_available_;
}

void SplitRing::disable_notifications() {
    // 2.7.10: with the event index an avail_event that is not moved on does it, and flags
    // has to stay 0.
    if (!event_idx_) {
        memory::store(&used_->flags, VRING_USED_F_NO_NOTIFY, std::memory_order_relaxed);
    }
}

}  // namespace vrdma::vhost
