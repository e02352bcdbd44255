// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

#include "result.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/live_objects.h"
#include "rnic/port_budgets.h"

namespace vrdma::embedded {

// Counters of all that guests have: the objects, and the bytes of their rings.
struct Usage : rnic::LiveObjects {
    Counter ring_bytes{0};
};

// The bytes of one ring, counted as long as the object lives.
struct RingBytes {
    Charge charge;          // to the guest
    rnic::LiveCount count;  // in the RNIC's total
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
    // Counts `bytes` of a ring. EDQUOT when the guest may not have that much more.
    Result<RingBytes> take_ring_bytes(uint64_t bytes) {
        auto charge = rnic::charge(budgets_.ring_bytes, bytes);
        if (!charge) {
            return fail(charge.error());
        }
        return RingBytes{std::move(*charge), rnic::LiveCount(total_.ring_bytes, bytes)};
    }
    // The same for a ring that is there already: a limit that was lowered takes nothing away.
    RingBytes take_again(uint64_t bytes) {
        return {rnic::take(budgets_.ring_bytes, bytes), rnic::LiveCount(total_.ring_bytes, bytes)};
    }
    // The address space, in bytes, that the rings of one user context can use: twice what they may
    // take, so that there is room beside one that is resized, and holes do not matter.
    uint64_t ring_space() const {
        if (budgets_.ring_bytes == nullptr) {
            return limits_.ring_bytes_per_context;
        }
        return std::min(budgets_.ring_bytes->limit(), limits_.ring_bytes_per_context / 2) * 2;
    }

    void set_budgets(const rnic::PortBudgets& budgets) { budgets_ = budgets; }

  private:
    Usage& total_;
    rnic::LiveObjects own_;
    const EmbeddedLimits& limits_;
    rnic::PortBudgets budgets_;
};

}  // namespace vrdma::embedded
