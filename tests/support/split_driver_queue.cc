// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/split_driver_queue.h"

#include <numeric>
#include <stdexcept>

#include "memory/guest_access.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/rings/full_barrier.h"

namespace vrdma::test {

using vhost::full_barrier;

SplitDriverQueue::SplitDriverQueue(FakeMemory& memory, uint16_t size, uint64_t features)
    : DriverQueue(memory, size, features), free_(size), chains_(size) {
    const uint64_t descriptors = memory.allocate(sizeof(vring_desc) * size, 16);
    const uint64_t available =
        memory.allocate(sizeof(vring_avail) + sizeof(uint16_t) * size + sizeof(uint16_t), 2);
    const uint64_t used =
        memory.allocate(sizeof(vring_used) + sizeof(vring_used_elem) * size + sizeof(uint16_t), 4);
    descriptors_ = memory.at<vring_desc>(descriptors);
    available_ = memory.at<vring_avail>(available);
    used_ = memory.at<vring_used>(used);
    layout_.descriptors = FakeMemory::vmm_address(descriptors);
    layout_.driver = FakeMemory::vmm_address(available);
    layout_.device = FakeMemory::vmm_address(used);
    std::iota(free_.rbegin(), free_.rend(), uint16_t{0});
}

bool SplitDriverQueue::event_idx() const {
    return (layout_.features & vhost::bit(VIRTIO_RING_F_EVENT_IDX)) != 0;
}

void SplitDriverQueue::write_chain(vring_desc* table, std::span<const uint16_t> slots,
                                   std::span<const Buffer> buffers) {
    for (size_t i = 0; i < buffers.size(); ++i) {
        const bool last = i + 1 == buffers.size();
        uint16_t flags = last ? 0 : VRING_DESC_F_NEXT;
        flags |= buffers[i].device_writes ? VRING_DESC_F_WRITE : 0;
        table[slots[i]] = {buffers[i].address, buffers[i].length, flags,
                           last ? uint16_t{0} : slots[i + 1]};
    }
}

uint16_t SplitDriverQueue::add(std::span<const Buffer> buffers, bool indirect) {
    const size_t needed = indirect ? 1 : buffers.size();
    if (free_.size() < needed) {
        throw std::runtime_error("the ring is full");
    }
    std::vector<uint16_t> slots(free_.rbegin(), free_.rbegin() + static_cast<ptrdiff_t>(needed));
    free_.resize(free_.size() - needed);
    if (indirect) {
        const auto bytes = static_cast<uint32_t>(buffers.size() * sizeof(vring_desc));
        const uint64_t table = memory_.allocate(bytes);
        std::vector<uint16_t> all(buffers.size());
        std::iota(all.begin(), all.end(), uint16_t{0});
        write_chain(memory_.at<vring_desc>(table), all, buffers);
        descriptors_[slots[0]] = {table, bytes, VRING_DESC_F_INDIRECT, 0};
    } else {
        write_chain(descriptors_, slots, buffers);
    }
    const uint16_t head = slots[0];
    chains_[head] = std::move(slots);
    make_available(head);
    return head;
}

void SplitDriverQueue::make_available(uint16_t head, uint16_t count) {
    memory::store(&available_->ring[next_available_ % size()], head, std::memory_order_relaxed);
    next_available_ = static_cast<uint16_t>(next_available_ + count);
    // Pairs with the device's load of idx in SplitRing::pop().
    memory::store(&available_->idx, next_available_, std::memory_order_release);
}

std::optional<Used> SplitDriverQueue::take_used() {
    // Pairs with the device's store of idx in SplitRing::push().
    if (memory::load(&used_->idx, std::memory_order_acquire) == next_used_) {
        return std::nullopt;
    }
    const vring_used_elem element = used_->ring[next_used_ % size()];
    ++next_used_;
    if (element.id >= size() || chains_[element.id].empty()) {
        throw std::runtime_error("the device gave back a chain that it does not have");
    }
    auto& slots = chains_[element.id];
    free_.insert(free_.end(), slots.rbegin(), slots.rend());
    slots.clear();
    return Used{static_cast<uint16_t>(element.id), element.len};
}

bool SplitDriverQueue::kick_wanted() {
    // Pairs with the barrier in SplitRing::enable_notifications().
    full_barrier();
    const uint16_t before = std::exchange(kicked_, next_available_);
    if (before == next_available_) {
        return false;
    }
    if (event_idx()) {
        const uint16_t event = memory::load(available_event(), std::memory_order_relaxed);
        return vring_need_event(event, next_available_, before) != 0;
    }
    const uint16_t flags = memory::load(&used_->flags, std::memory_order_relaxed);
    return (flags & VRING_USED_F_NO_NOTIFY) == 0;
}

void SplitDriverQueue::enable_interrupts() {
    memory::store(&available_->flags, 0, std::memory_order_relaxed);
    memory::store(used_event(), next_used_, std::memory_order_relaxed);
    // Pairs with the barrier in SplitRing::should_notify().
    full_barrier();
}

void SplitDriverQueue::disable_interrupts() {
    if (event_idx()) {
        memory::store(used_event(), static_cast<uint16_t>(next_used_ - 1),
                      std::memory_order_relaxed);
    } else {
        memory::store(&available_->flags, VRING_AVAIL_F_NO_INTERRUPT, std::memory_order_relaxed);
    }
}

void SplitDriverQueue::forge(std::span<const RawDescriptor> descriptors) {
    for (size_t i = 0; i < descriptors.size(); ++i) {
        const auto& raw = descriptors[i];
        descriptors_[i] = {raw.address, raw.length, raw.flags, raw.next};
    }
    make_available(0);
}

}  // namespace vrdma::test
