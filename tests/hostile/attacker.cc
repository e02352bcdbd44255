// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/attacker.h"

namespace vrdma::hostile {

void Attacker::step() {
    known_.doorbells = known_.doorbells || known_.verbs.try_map_doorbells();
    if (known_.qps.empty()) {
        commands_.make_queue_pair();
    }
    // Seven of 24 steps are in the shared memory region.
    if (known_.choices.below(24) < 7) {
        step_without_memory();
    } else {
        commands_.step();
    }
}

void Attacker::step_without_memory() {
    switch (known_.choices.below(7)) {
        case 0:
        case 1:
            return rings_.spoil_ring();
        case 2:
        case 3:
        case 4:
            return work_.post_work();
        default:
            return rings_.storm_doorbells();
    }
}

}  // namespace vrdma::hostile
