// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The messages about guest memory.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "vhost/protocol/memory_table.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {
namespace {

tl::expected<memory::GuestMemory, std::string> with_region(const memory::GuestMemory& memory,
                                                           const VuMemoryRegion& region,
                                                           const FileDescriptor& file) {
    auto mapped = map_region(region, file);
    if (!mapped) {
        return tl::unexpected(mapped.error());
    }
    auto added = memory.with(std::move(*mapped));
    if (!added) {
        return tl::unexpected(fmt::format("memory region {:#x}+{:#x} overlaps another one",
                                          region.guest_address, region.size));
    }
    return std::move(*added);
}

}  // namespace

Outcome VmmSession::set_mem_table(Message& message) {
    VuMemoryTable table{};
    std::memcpy(&table, message.payload.data(), message.header.size);
    const size_t count = table.region_count;
    if (count > kMaxTableRegions || message.fds.size() != count ||
        message.header.size < offsetof(VuMemoryTable, regions[0]) + count * 32) {
        return malformed(fmt::format("a table of {} regions has {} bytes and {} descriptors", count,
                                     message.header.size, message.fds.size()));
    }
    memory::GuestMemory memory;
    for (size_t i = 0; i < count; ++i) {
        auto added = with_region(memory, table.regions[i], message.fds[i]);
        if (!added) {
            return refuse(added.error());
        }
        memory = std::move(*added);
    }
    set_memory(std::move(memory));
    return done();
}

Outcome VmmSession::get_max_mem_slots(Message&) {
    return answer(kMaxMemorySlots);
}

Outcome VmmSession::add_mem_reg(Message& message) {
    if (memory_->regions().size() >= kMaxMemorySlots) {
        return refuse(fmt::format("there are {} memory regions already", kMaxMemorySlots));
    }
    auto added = with_region(*memory_, message.as<VuSingleRegion>().region, message.fds[0]);
    if (!added) {
        return refuse(added.error());
    }
    set_memory(std::move(*added));
    return done();
}

// Older front-ends send a descriptor, which is of no use.
Outcome VmmSession::rem_mem_reg(Message& message) {
    const VuMemoryRegion region = message.as<VuSingleRegion>().region;
    const auto& regions = memory_->regions();
    const bool known = std::any_of(regions.begin(), regions.end(), [&](const auto& other) {
        return other->start().value == region.guest_address && other->size() == region.size &&
               other->vmm_start() == region.user_address;
    });
    if (!known) {
        return refuse(fmt::format("there is no memory region {:#x}+{:#x}", region.guest_address,
                                  region.size));
    }
    auto left = memory_->without(memory::GuestPhysicalAddress{region.guest_address}, region.size);
    set_memory(std::move(*left));
    return done();
}

void VmmSession::set_memory(memory::GuestMemory memory) {
    memory_ = std::make_shared<const memory::GuestMemory>(std::move(memory));
    device_.memory_changed(memory_);
    for (auto& queue : queues_) {
        queue->change_memory(memory_);
    }
}

}  // namespace vrdma::vhost
