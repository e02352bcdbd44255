// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/key_space.h"

#include <algorithm>
#include <utility>

namespace vrdma::embedded {

Invalidation KeySpace::invalidate(uint32_t key, const WindowOwner& owner, bool remote,
                                  const WorkerSlices& slices) {
    if (Window* window = windows_.at(key); window != nullptr) {
        return window->invalidate(key, owner, slices);
    }
    Region* region = regions_.at(key);
    if (region == nullptr || region->pd() != &owner.pd()) {
        return Invalidation::kRefused;
    }
    return region->invalidate(key, remote, slices);
}

void KeySpace::follow_memory(Region& region) {
    if (region.is_dma()) {
        Region::Layout layout(memory_.get());
        region.use_guest_memory(layout);
        dma_regions_.push_back(&region);
    }
}

RegionTable::Room KeySpace::prepare(Region& region) {
    follow_memory(region);
    return regions_.make_room();
}

void KeySpace::forget(const Region& region) {
    if (region.is_dma()) {
        std::erase(dma_regions_, &region);
    }
}

void KeySpace::renew(Region& region) {
    regions_.erase(region);
    RegionTable::Room none;  // the number that was the region's is free
    regions_.insert(region, none);
}

void KeySpace::erase(Window& window) {
    window.release();
    windows_.erase(window);
}

KeySpace::MemoryChange KeySpace::prepare(std::shared_ptr<const memory::GuestMemory> memory) const {
    MemoryChange change;
    change.layouts_.reserve(dma_regions_.size());
    for (size_t i = 0; i < dma_regions_.size(); ++i) {
        change.layouts_.emplace_back(memory.get());
    }
    change.memory_ = std::move(memory);
    return change;
}

bool KeySpace::apply(MemoryChange& change) {
    constexpr size_t kRegionsPerPause = 256;
    if (change.done_ == 0) {
        memory_.swap(change.memory_);
    }
    const size_t end = std::min(dma_regions_.size(), change.done_ + kRegionsPerPause);
    for (; change.done_ < end; ++change.done_) {
        dma_regions_[change.done_]->use_guest_memory(change.layouts_[change.done_]);
    }
    return end == dma_regions_.size();
}

}  // namespace vrdma::embedded
