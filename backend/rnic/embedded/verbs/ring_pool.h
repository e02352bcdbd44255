// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/rings/ring.h"
#include "rnic/embedded/rings/ring_memory.h"
#include "rnic/embedded/verbs/quota.h"

namespace vrdma::embedded {

// Makes and counts the rings of one guest user context.
class RingPool {
  public:
    RingPool(std::shared_ptr<RingMemory> memory, Quota& quota)
        : memory_(std::move(memory)), quota_(quota) {}

    const RingMemory& memory() const { return *memory_; }

    struct CountedRing {
        Ring ring;
        RingBytes bytes;  // lives as long as the ring
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

  private:
    std::shared_ptr<RingMemory> memory_;
    Quota& quota_;
};

}  // namespace vrdma::embedded
