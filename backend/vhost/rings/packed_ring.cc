// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/packed_ring.h"

#include <algorithm>
#include <bit>

#include "memory/guest_access.h"
#include "vhost/feature_bit.h"
#include "vhost/rings/full_barrier.h"

// The rings are little-endian (virtio 1.2, 1.4), and accessed without conversion.
static_assert(std::endian::native == std::endian::little);

namespace vrdma::vhost {
namespace {

constexpr uint16_t kMaxPackedSize = 32768;  // 2.8
constexpr uint16_t kAvailable = 1 << VRING_PACKED_DESC_F_AVAIL;
constexpr uint16_t kUsed = 1 << VRING_PACKED_DESC_F_USED;
constexpr uint16_t kEventWrap = 1 << VRING_PACKED_EVENT_F_WRAP_CTR;

}  // namespace

void PackedRing::Position::advance(uint16_t count, uint16_t ring_size) {
    const uint32_t next = uint32_t{index} + count;
    if (next >= ring_size) {
        index = static_cast<uint16_t>(next - ring_size);
        wrap = !wrap;
    } else {
        index = static_cast<uint16_t>(next);
    }
}

Result<PackedRing> PackedRing::create(const RingLayout& layout, const memory::GuestMemory& memory,
                                      uint32_t base) {
    const Position next_available = Position::decode(static_cast<uint16_t>(base));
    const Position next_used = Position::decode(static_cast<uint16_t>(base >> 16));
    if (layout.size == 0 || layout.size > kMaxPackedSize || layout.descriptors % 16 != 0 ||
        layout.driver % 4 != 0 || layout.device % 4 != 0 || next_available.index >= layout.size ||
        next_used.index >= layout.size) {
        return fail(EINVAL);
    }
    PackedRing ring;
    ring.size_ = layout.size;
    ring.event_idx_ = (layout.features & bit(VIRTIO_RING_F_EVENT_IDX)) != 0;
    ring.indirect_ = (layout.features & bit(VIRTIO_RING_F_INDIRECT_DESC)) != 0;
    ring.next_available_ = next_available;
    ring.next_used_ = next_used;
    if (auto located = ring.relocate(layout, memory); !located) {
        return fail(located.error());
    }
    return ring;
}

Result<void> PackedRing::relocate(const RingLayout& layout, const memory::GuestMemory& memory) {
    auto descriptors = memory.translate_vmm(layout.descriptors, sizeof(vring_packed_desc) * size_);
    auto driver = memory.translate_vmm(layout.driver, sizeof(vring_packed_desc_event));
    auto device = memory.translate_vmm(layout.device, sizeof(vring_packed_desc_event));
    if (!descriptors || !driver || !device) {
        return fail(EFAULT);
    }
    descriptors_ = reinterpret_cast<vring_packed_desc*>(descriptors->data);
    driver_event_ = reinterpret_cast<vring_packed_desc_event*>(driver->data);
    device_event_ = reinterpret_cast<vring_packed_desc_event*>(device->data);
    return {};
}

// 2.8.1: available when AVAIL equals the wrap counter and USED does not.
bool PackedRing::available(const Position& position, uint16_t flags) const {
    return ((flags & kAvailable) != 0) == position.wrap && ((flags & kUsed) != 0) != position.wrap;
}

RingResult<std::optional<TakenChain>> PackedRing::pop(ChainBuilder& chain) {
    Position position = next_available_;
    // 2.8.21.2: pairs with the driver's barrier between filling the chain's descriptors and
    // the first one's flags, which publish it.
    const uint16_t head_flags =
        memory::load(&descriptors_[position.index].flags, std::memory_order_acquire);
    if (!available(position, head_flags)) {
        return std::nullopt;
    }
    TakenChain taken;
    while (true) {
        auto descriptor = memory::copy_from_guest<vring_packed_desc>(&descriptors_[position.index]);
        if (taken.slots == 0) {
            descriptor.flags = head_flags;  // what was checked
        } else if (!available(position, descriptor.flags)) {
            return ring_error("a descriptor within a chain is not available");
        }
        ++taken.slots;
        position.advance(1, size_);
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            // 2.8.19: not in a list linked by NEXT.
            if (taken.slots != 1 || (descriptor.flags & VRING_DESC_F_NEXT) != 0) {
                return ring_error("an indirect descriptor is part of a list");
            }
            if (auto walked = walk_indirect(descriptor, chain); !walked) {
                return tl::unexpected(walked.error());
            }
        } else {
            const bool writable = (descriptor.flags & VRING_DESC_F_WRITE) != 0;
            if (auto added = chain.add(descriptor.addr, descriptor.len, writable); !added) {
                return tl::unexpected(added.error());
            }
        }
        if ((descriptor.flags & VRING_DESC_F_NEXT) == 0) {
            taken.id = descriptor.id;  // 2.8.6: the last one has the id
            break;
        }
    }
    next_available_ = position;
    return taken;
}

// 2.8.7: all descriptors of the table are the buffer, in order; of their flags only WRITE
// means something, but INDIRECT has to be absent.
RingResult<void> PackedRing::walk_indirect(const vring_packed_desc& table,
                                           ChainBuilder& chain) const {
    if (!indirect_) {
        return ring_error("an indirect descriptor, which was not negotiated");
    }
    if (table.len == 0 || table.len % sizeof(vring_packed_desc) != 0) {
        return ring_error("an indirect table's length is not a multiple of a descriptor");
    }
    const uint32_t count = table.len / sizeof(vring_packed_desc);
    if (count > size_) {
        return ring_error("an indirect table is longer than the queue");
    }
    auto range = chain.translate(table.addr, table.len);
    if (!range) {
        return tl::unexpected(range.error());
    }
    for (uint32_t index = 0; index < count; ++index) {
        const auto descriptor = memory::copy_from_guest<vring_packed_desc>(
            range->data + index * sizeof(vring_packed_desc));
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            return ring_error("an indirect descriptor in an indirect table");
        }
        const bool writable = (descriptor.flags & VRING_DESC_F_WRITE) != 0;
        if (auto added = chain.add(descriptor.addr, descriptor.len, writable); !added) {
            return added;
        }
    }
    return {};
}

void PackedRing::push(const TakenChain& chain, uint32_t written) {
    vring_packed_desc& descriptor = descriptors_[next_used_.index];
    memory::store(&descriptor.id, chain.id, std::memory_order_relaxed);
    memory::store(&descriptor.len, written, std::memory_order_relaxed);
    uint16_t flags = next_used_.wrap ? kAvailable | kUsed : 0;
    if (written != 0) {
        flags |= VRING_DESC_F_WRITE;
    }
    // 2.8.14: pairs with the driver's barrier between reading flags and the rest of the used
    // descriptor; also orders what the device wrote into the buffers before it.
    memory::store(&descriptor.flags, flags, std::memory_order_release);
    next_used_.advance(chain.slots, size_);
    unsignalled_ = std::min<uint32_t>(unsignalled_ + chain.slots, size_);
}

bool PackedRing::should_notify() {
    const auto pushed = static_cast<uint16_t>(unsignalled_);
    const bool valid = signalled_valid_;
    unsignalled_ = 0;
    signalled_valid_ = true;
    // 2.8.10: pairs with the driver's barrier between asking for an interrupt (its event
    // suppression structure) and looking at the next used descriptor once more.
    full_barrier();
    // 2.8.10: pairs with the driver's barrier between writing off_wrap and flags.
    const uint16_t flags = memory::load(&driver_event_->flags, std::memory_order_acquire);
    if (flags == VRING_PACKED_EVENT_FLAG_DISABLE) {
        return false;
    }
    if (flags != VRING_PACKED_EVENT_FLAG_DESC || !event_idx_ || !valid) {
        return true;
    }
    const uint16_t off_wrap = memory::load(&driver_event_->off_wrap, std::memory_order_relaxed);
    auto event = static_cast<uint16_t>(off_wrap & ~kEventWrap);
    if (((off_wrap & kEventWrap) != 0) != next_used_.wrap) {
        event = static_cast<uint16_t>(event - size_);  // it is in the round before
    }
    return vring_need_event(event, next_used_.index,
                            static_cast<uint16_t>(next_used_.index - pushed)) != 0;
}

bool PackedRing::enable_notifications() {
    if (event_idx_) {
        memory::store(&device_event_->off_wrap, next_available_.encode(),
                      std::memory_order_relaxed);
        // 2.8.10: pairs with the driver's barrier between reading flags and off_wrap.
        memory::store(&device_event_->flags, VRING_PACKED_EVENT_FLAG_DESC,
                      std::memory_order_release);
    } else {
        memory::store(&device_event_->flags, VRING_PACKED_EVENT_FLAG_ENABLE,
                      std::memory_order_relaxed);
    }
    // 2.8.21.3: pairs with the driver's barrier between publishing a chain and looking
    // whether a kick is wanted.  Either it sees our wish, or we see its chain.
    full_barrier();
    return available(next_available_, memory::load(&descriptors_[next_available_.index].flags,
                                                   std::memory_order_relaxed));
}

void PackedRing::disable_notifications() {
    memory::store(&device_event_->flags, VRING_PACKED_EVENT_FLAG_DISABLE,
                  std::memory_order_relaxed);
}

}  // namespace vrdma::vhost
