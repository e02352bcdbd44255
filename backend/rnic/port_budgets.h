// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "budget.h"

namespace vrdma::rnic {

struct TrafficReached;

// What one guest's port charges or counts by itself: only the RNIC knows how much a verb takes of
// the host's memory, and when traffic waits.  Null: without limit, not counted.
struct PortBudgets {
    Budget* ring_bytes = nullptr;
    Budget* connections = nullptr;         // iw_cm: connections and listeners; ucma: ids
    Budget* connection_backlog = nullptr;  // requests that listeners may have waiting
    Budget* connection_events = nullptr;   // that may wait for the guest
    TrafficReached* traffic = nullptr;
};

// As Budget::check(), charge() and take().
inline Result<void> check(Budget* budget, uint64_t amount = 1) {
    return budget == nullptr ? Result<void>() : budget->check(amount);
}
inline Result<Charge> charge(Budget* budget, uint64_t amount = 1) {
    return budget == nullptr ? Result<Charge>(Charge()) : budget->charge(amount);
}

inline Charge take(Budget* budget, uint64_t amount = 1) {
    return budget == nullptr ? Charge() : budget->take(amount);
}

}  // namespace vrdma::rnic
