// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <bit>
#include <memory>

#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/ring_memory.h"
#include "rnic/embedded/verbs/quota.h"
#include "state/embedded.pb.h"

namespace vrdma::embedded {

// Makes and counts the rings of one guest user context.
class RingPool {
  public:
    RingPool(std::shared_ptr<RingMemory> memory, Quota& quota)
        : memory_(std::move(memory)), quota_(quota) {}

    const RingMemory& memory() const { return *memory_; }

    struct CountedRing {
        Ring ring;
        RingBytes bytes;     // lives as long as the ring
        uint32_t index = 0;  // of the element that the RNIC comes to next
    };
    // EDQUOT when the guest may not have as much, ENOMEM, or why the file could not grow.
    Result<CountedRing> create(RingGeometry geometry) const {
        auto bytes = quota_.take_ring_bytes(RingMemory::size_of(geometry.bytes()));
        if (!bytes) {
            return fail(bytes.error());
        }
        auto ring = Ring::create(*memory_, geometry);
        if (!ring) {
            return fail(ring.error());
        }
        return CountedRing{std::move(*ring), std::move(*bytes)};
    }

    static void save(const Ring& ring, uint32_t index, state::EmbeddedRing& saved) {
        saved.set_offset(ring.info().offset);
        saved.set_mask(ring.mask());
        saved.set_element_size(ring.element_size());
        saved.set_index(index);
    }
    // The ring that another process made, of at most so many elements of this size. What it takes
    // of the guest's budget is taken even if there is less. EINVAL for what is no such ring of the
    // file, EEXIST for one that overlaps another.
    Result<CountedRing> restore(const state::EmbeddedRing& saved, uint32_t most_elements,
                                size_t element_size) const {
        const RingGeometry most = RingGeometry::fit(most_elements, element_size);
        const RingGeometry geometry{saved.mask() + 1, saved.element_size()};
        if (geometry.slots < 2 || geometry.slots > most.slots ||
            !std::has_single_bit(geometry.slots) || geometry.element_size != most.element_size ||
            saved.index() > saved.mask()) {
            return fail(EINVAL);
        }
        auto ring = Ring::adopt(*memory_, saved.offset(), geometry);
        if (!ring) {
            return fail(ring.error());
        }
        RingBytes bytes = quota_.take_again(ring->bytes());
        return CountedRing{std::move(*ring), std::move(bytes), saved.index()};
    }

  private:
    std::shared_ptr<RingMemory> memory_;
    Quota& quota_;
};

}  // namespace vrdma::embedded
