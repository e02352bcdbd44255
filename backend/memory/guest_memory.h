// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guest-physical memory as this process sees it.
#pragma once

#include <memory>
#include <vector>

#include "file_descriptor.h"
#include "memory/address.h"
#include "memory/fault_report.h"
#include "memory/mapping.h"
#include "memory/watched_range.h"
#include "result.h"

namespace vrdma::memory {

// The file in which guest RAM is, so that it can be mapped a second time.
struct FileBacking {
    FileDescriptor file;
    uint64_t offset = 0;     // of the region's first byte in the file
    uint64_t page_size = 0;  // of the file; mappings have multiples of it as addresses and offsets
    FileLabel label{};       // names the file in the log
};

// A piece of guest RAM, mapped in this process for as long as anyone refers to it: a memory
// region that was registered before the VMM removed the RAM stays valid.
class GuestRegion {
  public:
    // `size` bytes at guest-physical `start` are in `mapping` from `mapping_offset`.
    // `vmm_start` is the VMM's own address of these bytes, by which it names ring addresses.
    // Without a backing file the region cannot be stitched (memory/stitched_mapping.h).  Faults in
    // the region are reported to `faults`; without it they end the process.
    GuestRegion(GuestPhysicalAddress start, uint64_t size, uint64_t vmm_start, Mapping mapping,
                size_t mapping_offset, FileBacking backing = {},
                std::shared_ptr<FaultReport> faults = nullptr);

    GuestPhysicalAddress start() const { return start_; }
    uint64_t size() const { return size_; }
    uint64_t vmm_start() const { return vmm_start_; }
    std::byte* data() const { return mapping_.data() + mapping_offset_; }
    const FileBacking& backing() const { return backing_; }
    const std::shared_ptr<FaultReport>& faults() const { return faults_; }

  private:
    GuestPhysicalAddress start_;
    uint64_t size_;
    uint64_t vmm_start_;
    Mapping mapping_;
    size_t mapping_offset_;
    FileBacking backing_;
    std::shared_ptr<FaultReport> faults_;
    WatchedRange watched_;  // the mapping; goes before it
};

// A range of guest memory together with what keeps it mapped.
struct PinnedRange {
    HostRange range;
    std::shared_ptr<const GuestRegion> region;
};

// All guest RAM at one moment.  Immutable: a change of the memory table makes a new one.
class GuestMemory {
  public:
    GuestMemory() = default;

    // The same memory with `region` added.  EEXIST when it overlaps another one.
    Result<GuestMemory> with(std::shared_ptr<const GuestRegion> region) const;

    // The same memory without the region that has exactly these bounds.  ENOENT.
    Result<GuestMemory> without(GuestPhysicalAddress start, uint64_t size) const;

    // `length` bytes from `address`, which must lie in one region.  EFAULT when they
    // do not, EINVAL when the range is empty or wraps.
    Result<HostRange> translate(GuestPhysicalAddress address, uint64_t length) const;

    // As translate(), with the reference that keeps the range mapped.
    Result<PinnedRange> pin(GuestPhysicalAddress address, uint64_t length) const;

    // As pin(), for as many of the `length` bytes as follow each other in one region.
    Result<PinnedRange> pin_prefix(GuestPhysicalAddress address, uint64_t length) const;

    // As translate(), for an address of the VMM (vhost-user: "user address").
    Result<HostRange> translate_vmm(uint64_t address, uint64_t length) const;

    const std::vector<std::shared_ptr<const GuestRegion>>& regions() const { return regions_; }

    // The size of the largest pages that any of the RAM's files has; 0 without RAM in files.
    uint64_t largest_page_size() const;

  private:
    const std::shared_ptr<const GuestRegion>* find(uint64_t address, uint64_t length) const;

    std::vector<std::shared_ptr<const GuestRegion>> regions_;  // sorted by start, disjoint
};

}  // namespace vrdma::memory
