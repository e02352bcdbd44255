// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/protocol/memory_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

}  // namespace

tl::expected<std::shared_ptr<const memory::GuestRegion>, std::string> map_region(
    const VuMemoryRegion& region, const FileDescriptor& file) {
    const auto error = [&](const std::string& what) {
        return tl::unexpected(
            fmt::format("memory region {:#x}+{:#x}: {}", region.guest_address, region.size, what));
    };
    if (region.size == 0 || region.size - 1 > UINT64_MAX - region.guest_address ||
        region.size - 1 > UINT64_MAX - region.user_address ||
        region.size > UINT64_MAX - region.mmap_offset) {
        return error("it is empty or wraps around");
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
        return error("its descriptor is not a memory file");
    }
    // Touching a mapping beyond the end of its file is a SIGBUS.
    if (region.mmap_offset + region.size > static_cast<uint64_t>(status.st_size)) {
        return error(fmt::format("it ends beyond its file of {:#x} bytes", status.st_size));
    }
    const uint64_t granule = mapping_granule(file);
    const uint64_t before = region.mmap_offset % granule;
    uint64_t length = before + region.size;
    length += (granule - length % granule) % granule;
    auto mapping = memory::Mapping::map(file.get(), region.mmap_offset - before, length);
    if (!mapping) {
        return error("mmap: " + to_string(mapping.error()));
    }
    // The message's descriptor is closed after the message; the duplicate lives as long as the
    // region.
    FileDescriptor kept(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
    if (!kept) {
        return error("fcntl(F_DUPFD_CLOEXEC): " + to_string(Errno{errno}));
    }
    return std::make_shared<const memory::GuestRegion>(
        memory::GuestPhysicalAddress{region.guest_address}, region.size, region.user_address,
        std::move(*mapping), before,
        memory::FileBacking{std::move(kept), region.mmap_offset, granule});
}

}  // namespace vrdma::vhost
