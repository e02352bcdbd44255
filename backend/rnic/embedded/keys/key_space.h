// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "memory/guest_memory.h"
#include "rnic/embedded/keys/region.h"
#include "rnic/embedded/keys/window.h"

namespace vrdma::embedded {

// The keys of one port, and the guest memory behind the regions of the guest's kernel. Changes in a
// Pause only, with the exceptions that Region and Window name.
class KeySpace {
  public:
    const RegionTable& regions() const { return regions_; }
    RegionTable& regions() { return regions_; }
    const WindowTable& windows() const { return windows_; }
    WindowTable& windows() { return windows_; }
    // The guest's memory, or null when the guest has told none.
    const std::shared_ptr<const memory::GuestMemory>& guest_memory() const { return memory_; }

    // Invalidates a key through the queue pair `owner`, by a request of its own or, when `remote`,
    // of its peer. On the worker `slices.self`.
    Invalidation invalidate(uint32_t key, const WindowOwner& owner, bool remote,
                            const WorkerSlices& slices);

    // A region of all memory has the guest's from here on. Called while nobody finds the region.
    void follow_memory(Region& region);
    // What insert() of the region needs; called outside a Pause.
    RegionTable::Room prepare(Region& region);
    void insert(Region& region, RegionTable::Room& room) { regions_.insert(region, room); }
    // Nobody finds the region any more. The windows that are bound to it are still to be forgotten.
    void erase(const Region& region) { regions_.erase(region); }
    // After erase(), outside a Pause.
    void forget(const Region& region);
    // Gives the region another key.
    void renew(Region& region);
    void insert(Window& window, WindowTable::Room& room) { windows_.insert(window, room); }
    void erase(Window& window);
    // A region or a queue pair goes: ends the bindings to it of some windows from number `first`
    // on. Answers the number of the next one.
    template <typename Object>
    uint32_t forget_windows(const Object& object, uint32_t first) {
        return windows_.forget(object, first);
    }

    // A change of the guest's memory, which the regions of all that memory follow.
    class MemoryChange {
        friend class KeySpace;
        std::shared_ptr<const memory::GuestMemory> memory_;
        std::vector<Region::Layout> layouts_;  // of dma_regions_, in their order
        size_t done_ = 0;
    };
    // Lays the change out, outside a Pause.
    MemoryChange prepare(std::shared_ptr<const memory::GuestMemory> memory) const;
    // Carries the change out for some of the regions, in a Pause. False when there are more. The
    // memory that there was is let go with `change`.
    bool apply(MemoryChange& change);

  private:
    RegionTable regions_;
    WindowTable windows_;
    std::shared_ptr<const memory::GuestMemory> memory_;
    std::vector<Region*> dma_regions_;  // workers do not look here
};

}  // namespace vrdma::embedded
