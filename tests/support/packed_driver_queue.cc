// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/packed_driver_queue.h"

#include <numeric>
#include <stdexcept>

#include "memory/guest_access.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/rings/full_barrier.h"

namespace vrdma::test {
namespace {

constexpr uint16_t kAvailable = 1 << VRING_PACKED_DESC_F_AVAIL;
constexpr uint16_t kUsed = 1 << VRING_PACKED_DESC_F_USED;
constexpr uint16_t kEventWrap = 1 << VRING_PACKED_EVENT_F_WRAP_CTR;

}  // namespace

using vhost::full_barrier;

PackedDriverQueue::PackedDriverQueue(FakeMemory& memory, uint16_t size, uint64_t features)
    : DriverQueue(memory, size, features), free_ids_(size), slots_(size), free_slots_(size) {
    const uint64_t descriptors = memory.allocate(sizeof(vring_packed_desc) * size, 16);
    const uint64_t driver = memory.allocate(sizeof(vring_packed_desc_event), 4);
    const uint64_t device = memory.allocate(sizeof(vring_packed_desc_event), 4);
    descriptors_ = memory.at<vring_packed_desc>(descriptors);
    driver_event_ = memory.at<vring_packed_desc_event>(driver);
    device_event_ = memory.at<vring_packed_desc_event>(device);
    layout_.descriptors = FakeMemory::vmm_address(descriptors);
    layout_.driver = FakeMemory::vmm_address(driver);
    layout_.device = FakeMemory::vmm_address(device);
    std::iota(free_ids_.rbegin(), free_ids_.rend(), uint16_t{0});
}

bool PackedDriverQueue::event_idx() const {
    return (layout_.features & vhost::bit(VIRTIO_RING_F_EVENT_IDX)) != 0;
}

uint16_t PackedDriverQueue::available_flags(bool wrap) {
    return wrap ? kAvailable : kUsed;
}

uint16_t PackedDriverQueue::add(std::span<const Buffer> buffers, bool indirect) {
    const auto needed = static_cast<uint16_t>(indirect ? 1 : buffers.size());
    if (free_slots_ < needed) {
        throw std::runtime_error("the ring is full");
    }
    std::vector<RawDescriptor> raw;
    for (size_t i = 0; i < buffers.size(); ++i) {
        uint16_t flags = buffers[i].device_writes ? VRING_DESC_F_WRITE : 0;
        flags |= !indirect && i + 1 < buffers.size() ? VRING_DESC_F_NEXT : 0;
        raw.push_back({buffers[i].address, buffers[i].length, flags});
    }
    if (indirect) {
        const auto bytes = table(raw, true);
        raw = {{memory_.store(bytes), static_cast<uint32_t>(bytes.size()), VRING_DESC_F_INDIRECT}};
    }
    const uint16_t id = free_ids_.back();
    free_ids_.pop_back();
    slots_[id] = needed;
    free_slots_ = static_cast<uint16_t>(free_slots_ - needed);
    added_ = static_cast<uint16_t>(added_ + needed);

    const uint16_t head = next_available_;
    uint16_t head_flags = 0;
    for (size_t i = 0; i < raw.size(); ++i) {
        auto& descriptor = descriptors_[next_available_];
        descriptor.addr = raw[i].address;
        descriptor.len = raw[i].length;
        descriptor.id = id;
        const auto flags = static_cast<uint16_t>(raw[i].flags | available_flags(available_wrap_));
        if (i == 0) {
            head_flags = flags;
        } else {
            descriptor.flags = flags;
        }
        if (++next_available_ == size()) {
            next_available_ = 0;
            available_wrap_ = !available_wrap_;
        }
    }
    // Pairs with the device's load of the flags in PackedRing::pop().
    memory::store(&descriptors_[head].flags, head_flags, std::memory_order_release);
    return id;
}

std::optional<Used> PackedDriverQueue::take_used() {
    auto& descriptor = descriptors_[next_used_];
    // Pairs with the device's store of the flags in PackedRing::push().
    const uint16_t flags = memory::load(&descriptor.flags, std::memory_order_acquire);
    if (((flags & kAvailable) != 0) != used_wrap_ || ((flags & kUsed) != 0) != used_wrap_) {
        return std::nullopt;
    }
    const uint16_t id = descriptor.id;
    if (id >= size() || slots_[id] == 0) {
        throw std::runtime_error("the device gave back a chain that it does not have");
    }
    const uint32_t written = (flags & VRING_DESC_F_WRITE) != 0 ? uint32_t{descriptor.len} : 0;
    next_used_ = static_cast<uint16_t>(next_used_ + slots_[id]);
    if (next_used_ >= size()) {
        next_used_ = static_cast<uint16_t>(next_used_ - size());
        used_wrap_ = !used_wrap_;
    }
    free_slots_ = static_cast<uint16_t>(free_slots_ + std::exchange(slots_[id], 0));
    free_ids_.push_back(id);
    return Used{id, written};
}

bool PackedDriverQueue::kick_wanted() {
    // Pairs with the barrier in PackedRing::enable_notifications().
    full_barrier();
    const uint16_t added = std::exchange(added_, 0);
    if (added == 0) {
        return false;
    }
    const uint16_t flags = memory::load(&device_event_->flags, std::memory_order_acquire);
    if (flags != VRING_PACKED_EVENT_FLAG_DESC) {
        return flags == VRING_PACKED_EVENT_FLAG_ENABLE;
    }
    const uint16_t off_wrap = memory::load(&device_event_->off_wrap, std::memory_order_relaxed);
    auto event = static_cast<uint16_t>(off_wrap & ~kEventWrap);
    if (((off_wrap & kEventWrap) != 0) != available_wrap_) {
        event = static_cast<uint16_t>(event - size());
    }
    return vring_need_event(event, next_available_,
                            static_cast<uint16_t>(next_available_ - added)) != 0;
}

void PackedDriverQueue::enable_interrupts() {
    if (event_idx()) {
        memory::store(&driver_event_->off_wrap,
                      static_cast<uint16_t>(next_used_ | (used_wrap_ ? kEventWrap : 0)),
                      std::memory_order_relaxed);
        // Pairs with the device's load of the flags in PackedRing::should_notify().
        memory::store(&driver_event_->flags, VRING_PACKED_EVENT_FLAG_DESC,
                      std::memory_order_release);
    } else {
        memory::store(&driver_event_->flags, VRING_PACKED_EVENT_FLAG_ENABLE,
                      std::memory_order_relaxed);
    }
    // Pairs with the barrier in PackedRing::should_notify().
    full_barrier();
}

void PackedDriverQueue::disable_interrupts() {
    memory::store(&driver_event_->flags, VRING_PACKED_EVENT_FLAG_DISABLE,
                  std::memory_order_relaxed);
}

void PackedDriverQueue::forge(std::span<const RawDescriptor> descriptors) {
    for (size_t i = descriptors.size(); i-- > 0;) {
        const auto& raw = descriptors[i];
        auto& descriptor = descriptors_[i];
        descriptor.addr = raw.address;
        descriptor.len = raw.length;
        descriptor.id = 0;
        memory::store(&descriptor.flags, static_cast<uint16_t>(raw.flags | available_flags(true)),
                      std::memory_order_release);
    }
}

}  // namespace vrdma::test
