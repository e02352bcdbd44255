// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <limits>

#include "result.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/live_objects.h"

namespace vrdma::embedded {

// Counters of all that guests have: the objects, and the bytes of their rings.
struct Usage : rnic::LiveObjects {
    Counter ring_bytes{0};
};

// Counts what the guest of one port has, against its limits and for the RNIC's total.
class Quota {
  public:
    static constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

    Quota(Usage& total, const EmbeddedLimits& limits) : total_(total), limits_(limits) {}

    const EmbeddedLimits& limits() const { return limits_; }

    // Counts one object of a kind. ENOMEM when the port has `limit` of them already.
    Result<rnic::LiveCount> take(Usage::Counter rnic::LiveObjects::*kind,
                                 uint64_t limit = kUnlimited) {
        auto count = rnic::LiveCount::take(total_.*kind, own_.*kind, limit);
        if (!count) {
            return fail(ENOMEM);
        }
        return std::move(*count);
    }
    rnic::LiveCount take_ring_bytes(uint64_t bytes) {
        return rnic::LiveCount(total_.ring_bytes, bytes);
    }

  private:
    Usage& total_;
    rnic::LiveObjects own_;
    const EmbeddedLimits& limits_;
};

}  // namespace vrdma::embedded
