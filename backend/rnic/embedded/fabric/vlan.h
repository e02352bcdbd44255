// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

#include "rnic/attributes.h"

namespace vrdma::embedded {

// VLAN id 0 says that a frame has a priority and no VLAN (IEEE 802.1Q, 9.6, table 9-2).
inline bool is_untagged(uint16_t vlan) {
    return vlan == 0 || vlan == rnic::kNoVlan;
}

// Whether frames go from one to the other.
inline bool same_vlan(uint16_t one, uint16_t other) {
    return one == other || (is_untagged(one) && is_untagged(other));
}

}  // namespace vrdma::embedded
