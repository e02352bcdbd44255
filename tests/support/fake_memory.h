// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "memory/guest_memory.h"
#include "memory/mapping.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::test {

// The RAM of a guest: memory files that this process, as the guest, reads and writes
// through its own mappings.  Errors throw std::runtime_error.
class FakeMemory {
  public:
    static constexpr uint64_t kPageSize = 4096;

    struct Region {
        uint64_t start;  // guest-physical
        uint64_t size;
        uint64_t file_offset;
        FileDescriptor file;
        memory::Mapping mapping;

        // Describes the region as the VMM does in SET_MEM_TABLE and its like.
        vhost::VuMemoryRegion describe() const;
        std::byte* data() const { return mapping.data() + file_offset; }
    };

    // One region of `size` bytes at guest-physical `start`, none for a size of 0.
    explicit FakeMemory(uint64_t size = 16 << 20, uint64_t start = 0x10000);

    // Plugs RAM in, which begins `file_offset` bytes into its file.
    Region& add_region(uint64_t start, uint64_t size, uint64_t file_offset = 0);
    // The same, in a file that the test has chosen, which is made as long as the region.
    Region& add_region_of(FileDescriptor file, uint64_t start, uint64_t size);
    void remove_region(uint64_t start);

    const std::vector<std::unique_ptr<Region>>& regions() const { return regions_; }

    // Guest-physical address of `size` fresh bytes (zero) of the first region.
    uint64_t allocate(uint64_t size, uint64_t alignment = 16);

    // The guest's view of its memory.  Throws when the range is not in one region.
    std::byte* host(uint64_t address, uint64_t size = 1) const;

    template <typename T>
    T* at(uint64_t address) const {
        return reinterpret_cast<T*>(host(address, sizeof(T)));
    }

    // Copies in, to fresh memory, and out.
    uint64_t store(std::span<const std::byte> bytes);
    std::vector<std::byte> load(uint64_t address, size_t size) const;

    // The address by which the VMM names guest-physical `address` in ring addresses.
    static uint64_t vmm_address(uint64_t address) { return address + 0x7f0000000000; }

    // This memory as the server would have it.
    std::shared_ptr<const memory::GuestMemory> as_guest_memory() const;

  private:
    Region& map(FileDescriptor file, uint64_t start, uint64_t size, uint64_t file_offset);

    std::vector<std::unique_ptr<Region>> regions_;
    uint64_t next_ = 0;
};

}  // namespace vrdma::test
