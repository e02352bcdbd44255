// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The messages about guest memory.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "memory/page_size.h"
#include "vhost/protocol/memory_table.h"
#include "vhost/protocol/vhost_user.h"
#include "vhost/server/vmm_session.h"

namespace vrdma::vhost {
namespace {

// Why there is no page at `fault`, and what to do about it.
std::string explain(const memory::Fault& fault, const memory::GuestRegion* region) {
    if (fault.hardware) {
        return "the host's memory has an error there; see the host's kernel log";
    }
    struct stat status {};
    if (region == nullptr || ::fstat(region->backing().file.get(), &status) != 0) {
        return "the file has no page there, and none can be had";
    }
    if (fault.file_offset >= static_cast<uint64_t>(status.st_size)) {
        return fmt::format(
            "the file has {:#x} bytes now, and had more when the VMM handed it over; give the "
            "virtual machine memory-backend-memfd, which is sealed against that",
            status.st_size);
    }
    if (region->backing().page_size > memory::system_page_size()) {
        return "no huge page is left for it; reserve the virtual machine's huge pages "
               "(vm.nr_hugepages), and let QEMU take them when it starts (prealloc=on)";
    }
    return "its file system has no room for the page; make room there for all of the virtual "
           "machine's memory, and let QEMU take it when it starts (prealloc=on), or give it "
           "memory-backend-memfd";
}

}  // namespace

std::string VmmSession::explain_fault() const {
    const auto fault = faults_->first();
    if (!fault) {
        return "an access to guest memory failed";
    }
    const memory::GuestRegion* found = nullptr;
    for (const auto& region : memory_->regions()) {
        if (fault->address >= region->data() && fault->address < region->data() + region->size()) {
            found = region.get();
        }
    }
    return fmt::format("an access to guest memory failed, at {:#x} of {}: {}", fault->file_offset,
                       fault->file, explain(*fault, found));
}

tl::expected<memory::GuestMemory, Refusal> VmmSession::with_region(
    const memory::GuestMemory& memory, const VuMemoryRegion& region, const FileDescriptor& file) {
    auto mapped = machine_.memory->map(region, file, memory, faults_);
    if (!mapped) {
        return mapped.error().untrusted ? malformed(mapped.error().what)
                                        : refuse(mapped.error().what);
    }
    auto added = memory.with(std::move(*mapped));
    if (!added) {
        return refuse(fmt::format("memory region {:#x}+{:#x} overlaps another one",
                                  region.guest_address, region.size));
    }
    return std::move(*added);
}

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
            return tl::unexpected(added.error());
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
        return tl::unexpected(added.error());
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
