// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

namespace vrdma::vhost {

// Where the driver placed a ring, its size and its features.  All values are guest-controlled.
struct RingLayout {
    uint16_t size = 0;      // descriptors in the ring
    uint64_t features = 0;  // negotiated
    // The descriptor area, the driver area and the device area, as addresses of the VMM.
    uint64_t descriptors = 0;
    uint64_t driver = 0;
    uint64_t device = 0;
};

// The part of a chain that a ring needs to mark the chain used.
struct TakenChain {
    uint16_t id = 0;     // head index (split) or buffer id (packed)
    uint16_t slots = 0;  // descriptors of the ring that it occupies
};

}  // namespace vrdma::vhost
