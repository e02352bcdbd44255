// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace vrdma::vhost {

// Where the driver placed a ring, and what it is.  All of it guest-controlled.
struct RingLayout {
    uint16_t size = 0;      // descriptors in the ring
    uint64_t features = 0;  // negotiated
    // Addresses of the VMM: descriptor area, driver area, device area.
    uint64_t descriptors = 0;
    uint64_t driver = 0;
    uint64_t device = 0;
};

// What a ring needs to know about a chain to mark it used.
struct TakenChain {
    uint16_t id = 0;     // head index (split) or buffer id (packed)
    uint16_t slots = 0;  // descriptors of the ring that it occupies
};

}  // namespace vrdma::vhost
