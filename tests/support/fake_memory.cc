// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/fake_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "vhost/protocol/memory_table.h"

namespace vrdma::test {

vhost::VuMemoryRegion FakeMemory::Region::describe() const {
    return {start, size, vmm_address(start), file_offset};
}

FakeMemory::FakeMemory(uint64_t size, uint64_t start) {
    if (size != 0) {
        add_region(start, size);
    }
}

FakeMemory::Region& FakeMemory::add_region(uint64_t start, uint64_t size, uint64_t file_offset) {
    FileDescriptor file(::memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file.valid() || ::ftruncate(file.get(), static_cast<off_t>(file_offset + size)) != 0 ||
        ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
        throw std::runtime_error("no memory file");
    }
    return map(std::move(file), start, size, file_offset);
}

FakeMemory::Region& FakeMemory::add_region_of(FileDescriptor file, uint64_t start, uint64_t size) {
    if (::ftruncate(file.get(), static_cast<off_t>(size)) != 0) {
        throw std::runtime_error("a memory file cannot grow");
    }
    return map(std::move(file), start, size, 0);
}

FakeMemory::Region& FakeMemory::map(FileDescriptor file, uint64_t start, uint64_t size,
                                    uint64_t file_offset) {
    auto mapping = memory::Mapping::map(file.get(), 0, file_offset + size);
    if (!mapping) {
        throw std::runtime_error("cannot map a memory file");
    }
    if (regions_.empty()) {
        next_ = start;
    }
    regions_.push_back(std::make_unique<Region>(
        Region{start, size, file_offset, std::move(file), std::move(*mapping)}));
    return *regions_.back();
}

void FakeMemory::remove_region(uint64_t start) {
    std::erase_if(regions_, [&](const auto& region) { return region->start == start; });
}

uint64_t FakeMemory::allocate(uint64_t size, uint64_t alignment) {
    const uint64_t address = (next_ + alignment - 1) / alignment * alignment;
    host(address, size);
    next_ = address + size;
    return address;
}

std::byte* FakeMemory::host(uint64_t address, uint64_t size) const {
    for (const auto& region : regions_) {
        if (address >= region->start && address - region->start < region->size &&
            size <= region->size - (address - region->start)) {
            return region->data() + (address - region->start);
        }
    }
    throw std::runtime_error("not in the guest's memory");
}

uint64_t FakeMemory::store(std::span<const std::byte> bytes) {
    const uint64_t address = allocate(bytes.size());
    std::memcpy(host(address, bytes.size()), bytes.data(), bytes.size());
    return address;
}

std::vector<std::byte> FakeMemory::load(uint64_t address, size_t size) const {
    const std::byte* data = host(address, size);
    return {data, data + size};
}

std::shared_ptr<const memory::GuestMemory> FakeMemory::as_guest_memory() const {
    vhost::RegionMapper mapper;
    memory::GuestMemory memory;
    for (const auto& region : regions_) {
        auto mapped = mapper.map(region->describe(), region->file, memory, nullptr);
        if (!mapped) {
            throw std::runtime_error(mapped.error().what);
        }
        memory = memory.with(std::move(*mapped)).value();
    }
    return std::make_shared<const memory::GuestMemory>(std::move(memory));
}

}  // namespace vrdma::test
