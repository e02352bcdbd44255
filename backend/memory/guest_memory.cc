// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/guest_memory.h"

#include <algorithm>

namespace vrdma::memory {
namespace {

bool range_valid(uint64_t start, uint64_t length) {
    return length != 0 && length - 1 <= UINT64_MAX - start;
}

// Both ranges valid; `inner` lies in [start, start + size).
bool contains(uint64_t start, uint64_t size, uint64_t inner, uint64_t length) {
    return inner >= start && inner - start < size && length <= size - (inner - start);
}

}  // namespace

GuestRegion::GuestRegion(GuestPhysicalAddress start, uint64_t size, uint64_t vmm_start,
                         Mapping mapping, size_t mapping_offset, FileBacking backing,
                         std::shared_ptr<FaultReport> faults)
    : start_(start),
      size_(size),
      vmm_start_(vmm_start),
      mapping_(std::move(mapping)),
      mapping_offset_(mapping_offset),
      backing_(std::move(backing)),
      faults_(std::move(faults)) {
    if (faults_ != nullptr) {
        watched_ = WatchedRange({.begin = mapping_.data(),
                                 .size = mapping_.size(),
                                 .page_size = backing_.page_size,
                                 .file_offset = backing_.offset - mapping_offset_},
                                WatchedRange::Accesses::kOwn, backing_.label, faults_);
    }
}

Result<GuestMemory> GuestMemory::with(std::shared_ptr<const GuestRegion> region) const {
    const uint64_t start = region->start().value;
    if (!range_valid(start, region->size()) || !range_valid(region->vmm_start(), region->size())) {
        return fail(EINVAL);
    }
    for (const auto& other : regions_) {
        const uint64_t last = start + (region->size() - 1);
        const uint64_t other_last = other->start().value + (other->size() - 1);
        if (start <= other_last && other->start().value <= last) {
            return fail(EEXIST);
        }
    }
    GuestMemory result = *this;
    auto position =
        std::upper_bound(result.regions_.begin(), result.regions_.end(), region,
                         [](const auto& a, const auto& b) { return a->start() < b->start(); });
    result.regions_.insert(position, std::move(region));
    return result;
}

Result<GuestMemory> GuestMemory::without(GuestPhysicalAddress start, uint64_t size) const {
    GuestMemory result = *this;
    const auto removed = std::erase_if(result.regions_, [&](const auto& region) {
        return region->start() == start && region->size() == size;
    });
    if (removed == 0) {
        return fail(ENOENT);
    }
    return result;
}

const std::shared_ptr<const GuestRegion>* GuestMemory::find(uint64_t address,
                                                            uint64_t length) const {
    auto next = std::upper_bound(
        regions_.begin(), regions_.end(), address,
        [](uint64_t value, const auto& region) { return value < region->start().value; });
    if (next == regions_.begin()) {
        return nullptr;
    }
    const auto& region = *std::prev(next);
    if (!contains(region->start().value, region->size(), address, length)) {
        return nullptr;
    }
    return &region;
}

Result<HostRange> GuestMemory::translate(GuestPhysicalAddress address, uint64_t length) const {
    if (!range_valid(address.value, length)) {
        return fail(EINVAL);
    }
    const auto* region = find(address.value, length);
    if (region == nullptr) {
        return fail(EFAULT);
    }
    return HostRange{(*region)->data() + (address.value - (*region)->start().value), length};
}

Result<PinnedRange> GuestMemory::pin(GuestPhysicalAddress address, uint64_t length) const {
    auto range = translate(address, length);
    if (!range) {
        return fail(range.error());
    }
    return PinnedRange{*range, *find(address.value, length)};
}

Result<PinnedRange> GuestMemory::pin_prefix(GuestPhysicalAddress address, uint64_t length) const {
    if (!range_valid(address.value, length)) {
        return fail(EINVAL);
    }
    const auto* region = find(address.value, 1);
    if (region == nullptr) {
        return fail(EFAULT);
    }
    const uint64_t offset = address.value - (*region)->start().value;
    const uint64_t available = std::min(length, (*region)->size() - offset);
    return PinnedRange{{(*region)->data() + offset, available}, *region};
}

Result<HostRange> GuestMemory::translate_vmm(uint64_t address, uint64_t length) const {
    if (!range_valid(address, length)) {
        return fail(EINVAL);
    }
    for (const auto& region : regions_) {
        if (contains(region->vmm_start(), region->size(), address, length)) {
            return HostRange{region->data() + (address - region->vmm_start()), length};
        }
    }
    return fail(EFAULT);
}

uint64_t GuestMemory::largest_page_size() const {
    uint64_t largest = 0;
    for (const auto& region : regions_) {
        largest = std::max(largest, region->backing().page_size);
    }
    return largest;
}

}  // namespace vrdma::memory
