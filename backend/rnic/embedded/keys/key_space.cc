// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/key_space.h"

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

void KeySpace::insert(Region& region) {
    regions_.insert(region);
    if (region.is_dma()) {
        region.use_guest_memory(memory_.get());
        dma_regions_.push_back(&region);
    }
}

void KeySpace::erase(Region& region) {
    regions_.erase(region);
    if (region.is_dma()) {
        std::erase(dma_regions_, &region);
    }
}

void KeySpace::renew(Region& region) {
    regions_.erase(region);
    regions_.insert(region);
}

void KeySpace::erase(Window& window) {
    window.release();
    windows_.erase(window);
}

void KeySpace::set_guest_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    memory_ = std::move(memory);
    for (Region* region : dma_regions_) {
        region->use_guest_memory(memory_.get());
    }
}

}  // namespace vrdma::embedded
