// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/protocol/memory_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <utility>

#include "memory/file_system.h"
#include "memory/page_size.h"

namespace vrdma::vhost {
namespace {

// The offset and the length of a mapping of `file` have to be multiples of this number of bytes.
// munmap() of huge pages fails for other lengths, which would leak them.
uint64_t mapping_granule(const FileDescriptor& file) {
    struct statfs information {};
    if (::fstatfs(file.get(), &information) == 0 && information.f_type == HUGETLBFS_MAGIC) {
        return static_cast<uint64_t>(information.f_bsize);
    }
    return memory::system_page_size();
}

uint64_t bytes_of(const memory::GuestMemory& memory) {
    uint64_t sum = 0;
    for (const auto& region : memory.regions()) {
        sum += region->size();
    }
    return sum;
}

// Takes `mapped` of the budget, unless the table had more than the limit with `wanted` besides the
// `others` that are in it.
tl::expected<Charge, std::string> charge(Budget* budget, uint64_t others, uint64_t wanted,
                                         uint64_t mapped) {
    constexpr uint64_t kTables = 2;  // see MemoryBudgets
    if (budget == nullptr) {
        return Charge();
    }
    if (auto room = budget->check_beside(others, wanted); !room) {
        return tl::unexpected(room.error());
    }
    return budget->charge_within(kTables, mapped);
}

}  // namespace

// The first look at a descriptor asks nothing of its file system, which the VMM may have made
// (FUSE) and may never answer.
tl::expected<void, RegionMapper::Refusal> RegionMapper::check_file(
    const FileDescriptor& file) const {
    const int seals = memory::seals_of(file.get());
    if (seals < 0) {
        const std::string type = memory::file_system_of(file.get());
        if (std::ranges::find(rules_.file_systems, type) != rules_.file_systems.end()) {
            return {};
        }
        return tl::unexpected(
            Refusal{.what = fmt::format(
                        "its file is on {}, and a file system other than tmpfs or hugetlbfs can "
                        "hold up whoever touches its memory; give the virtual machine "
                        "memory-backend-memfd, or allow the file system by file_systems in "
                        "[memory] if it is a local one",
                        type.empty() ? "a file system that vrdmad does not see mounted" : type),
                    .untrusted = true});
    }
    if ((seals & F_SEAL_SHRINK) == 0 && !rules_.unsealed_memfds && memory::is_memfd(file.get())) {
        return tl::unexpected(
            Refusal{.what = "its memfd is not sealed against shrinking; give the virtual machine "
                            "memory-backend-memfd without seal=off, or allow such memory by "
                            "unsealed_memfds = true in [memory]",
                    .untrusted = true});
    }
    return {};
}

// Charges a region of `size` bytes, whose mapping has `length`.
tl::expected<memory::Mapping::Charges, std::string> RegionMapper::charge(
    uint64_t size, uint64_t length, const memory::GuestMemory& others) {
    auto bytes = vhost::charge(budgets_.region_bytes, bytes_of(others), size, length);
    if (!bytes) {
        return tl::unexpected(bytes.error());
    }
    auto slot = vhost::charge(budgets_.memory_slots, others.regions().size(), 1, 1);
    if (!slot) {
        return tl::unexpected(slot.error());
    }
    return memory::Mapping::Charges{std::move(*bytes), std::move(*slot)};
}

tl::expected<std::shared_ptr<const memory::GuestRegion>, RegionMapper::Refusal> RegionMapper::map(
    const VuMemoryRegion& region, const FileDescriptor& file, const memory::GuestMemory& others,
    std::shared_ptr<memory::FaultReport> faults) {
    const auto error = [&](Refusal refusal) {
        refusal.what = fmt::format("memory region {:#x}+{:#x}: {}", region.guest_address,
                                   region.size, refusal.what);
        return tl::unexpected(std::move(refusal));
    };
    if (region.size == 0 || region.size - 1 > UINT64_MAX - region.guest_address ||
        region.size - 1 > UINT64_MAX - region.user_address ||
        region.size > UINT64_MAX - region.mmap_offset) {
        return error({.what = "it is empty or wraps around"});
    }
    if (auto good = check_file(file); !good) {
        return error(good.error());
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return error({.what = "its descriptor is not a memory file"});
    }
    // Touching a mapping beyond the end of its file is a SIGBUS.
    if (region.mmap_offset + region.size > static_cast<uint64_t>(status.st_size)) {
        return error(
            {.what = fmt::format("it ends beyond its file of {:#x} bytes", status.st_size)});
    }
    const uint64_t granule = mapping_granule(file);
    const uint64_t before = region.mmap_offset % granule;
    uint64_t length = before + region.size;
    length += (granule - length % granule) % granule;
    auto charges = charge(region.size, length, others);
    if (!charges) {
        return error({.what = "limit reached: " + charges.error()});
    }
    auto mapping = memory::Mapping::map(file.get(), region.mmap_offset - before, length);
    if (!mapping) {
        const char* advice = mapping.error() == Errno{ENOMEM}
                                 ? "; if vrdmad has as many mappings as vm.max_map_count allows, "
                                   "raise that sysctl"
                                 : "";
        return error({.what = "mmap: " + to_string(mapping.error()) + advice});
    }
    mapping->keep(std::move(*charges));
    // The message's descriptor is closed after the message; the duplicate lives as long as the
    // region.
    FileDescriptor kept(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (!kept) {
        return error({.what = "fcntl(F_DUPFD_CLOEXEC): " + to_string(Errno{errno})});
    }
    const memory::FileLabel label = memory::file_label(memory::name_of(file.get()));
    return std::make_shared<const memory::GuestRegion>(
        memory::GuestPhysicalAddress{region.guest_address}, region.size, region.user_address,
        std::move(*mapping), before,
        memory::FileBacking{std::move(kept), region.mmap_offset, granule, label},
        std::move(faults));
}

}  // namespace vrdma::vhost
