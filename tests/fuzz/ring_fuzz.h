// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <fuzzer/FuzzedDataProvider.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <spdlog/logger.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "support/fake_memory.h"
#include "support/signaller.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::test {

// Lays a ring out in memory that the input fills, with buffers in and beyond it, and uses it
// as a device does while the input goes on to change it.
inline void fuzz_ring(const uint8_t* data, size_t size, bool packed) {
    constexpr uint64_t kStart = 0x1000;
    constexpr uint64_t kMemorySize = 0x2000;
    constexpr uint16_t kQueueSize = 8;

    FuzzedDataProvider input(data, size);
    FakeMemory memory(kMemorySize, kStart);
    vhost::RingLayout layout;
    layout.size = kQueueSize;
    layout.features = vhost::bit(VIRTIO_F_VERSION_1) |
                      (packed ? vhost::bit(VIRTIO_F_RING_PACKED) : 0) |
                      (input.ConsumeBool() ? vhost::bit(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
                      (input.ConsumeBool() ? vhost::bit(VIRTIO_RING_F_EVENT_IDX) : 0);
    layout.descriptors = FakeMemory::vmm_address(kStart);
    layout.driver = FakeMemory::vmm_address(kStart + 0x80);
    layout.device = FakeMemory::vmm_address(kStart + 0xc0);
    const uint32_t base =
        packed && input.ConsumeBool() ? 0x80008000 : input.ConsumeIntegral<uint32_t>();

    vhost::Virtqueue queue(0, signaller(), std::make_shared<spdlog::logger>("fuzz"));
    const auto change = [&] {
        const auto offset = input.ConsumeIntegralInRange<size_t>(0, 0x200);
        const auto bytes =
            input.ConsumeBytes<uint8_t>(input.ConsumeIntegralInRange<size_t>(0, 0x200));
        std::copy(bytes.begin(), bytes.end(),
                  reinterpret_cast<uint8_t*>(memory.host(kStart + offset, bytes.size() + 1)));
    };
    // A descriptor that is nearly right, which the input would seldom hit upon.
    const auto offer = [&] {
        const auto slot = input.ConsumeIntegralInRange<uint16_t>(0, kQueueSize - 1);
        const uint64_t address = kStart + input.ConsumeIntegralInRange<uint64_t>(0, kMemorySize);
        const auto length = input.ConsumeIntegralInRange<uint32_t>(0, 0x400);
        const auto flags = input.ConsumeIntegralInRange<uint16_t>(0, 7);
        if (packed) {
            const uint16_t available = input.ConsumeBool() ? 1 << VRING_PACKED_DESC_F_AVAIL
                                                           : 1 << VRING_PACKED_DESC_F_USED;
            memory.at<vring_packed_desc>(kStart)[slot] = {address, length, slot,
                                                          static_cast<uint16_t>(flags | available)};
        } else {
            const auto next = input.ConsumeIntegralInRange<uint16_t>(0, kQueueSize);
            memory.at<vring_desc>(kStart)[slot] = {address, length, flags, next};
            auto* available = memory.at<vring_avail>(kStart + 0x80);
            available->ring[available->idx % kQueueSize] = slot;
            ++available->idx;
        }
    };
    change();
    if (!queue.set_up(layout, base, memory.as_guest_memory())) {
        return;
    }
    std::vector<vhost::DescriptorChain> held;
    const auto take_held = [&] {
        const auto which = input.ConsumeIntegralInRange<size_t>(0, held.size() - 1);
        auto chain = std::move(held[which]);
        held.erase(held.begin() + static_cast<ptrdiff_t>(which));
        return chain;
    };
    while (input.remaining_bytes() != 0) {
        switch (input.ConsumeIntegralInRange(0, 8)) {
            case 0:
                change();
                break;
            case 1:
            case 2:
                if (auto chain = queue.pop(); chain && *chain) {
                    std::vector<std::byte> bytes((*chain)->readable_size());
                    if (!(*chain)->read(0, bytes)) {
                        __builtin_trap();
                    }
                    held.push_back(std::move(**chain));
                }
                break;
            case 3:
                if (!held.empty()) {
                    auto chain = take_held();
                    const std::vector<std::byte> bytes(chain.writable_size(), std::byte{0xa5});
                    if (!chain.write(0, bytes)) {
                        __builtin_trap();
                    }
                    queue.push(std::move(chain), static_cast<uint32_t>(bytes.size()));
                }
                break;
            case 4:
                if (!held.empty()) {
                    queue.unpop(take_held());
                }
                break;
            case 5:
                queue.notify();
                break;
            case 6:
                if (input.ConsumeBool()) {
                    queue.enable_notifications();
                } else {
                    queue.disable_notifications();
                }
                break;
            case 7:
            case 8:
                offer();
                break;
        }
        // This bound keeps a driver from having the device hold any number of chains.
        if (held.size() > kQueueSize) {
            __builtin_trap();
        }
    }
    while (!held.empty()) {
        queue.unpop(std::move(held.back()));
        held.pop_back();
    }
    queue.tear_down();
}

}  // namespace vrdma::test
