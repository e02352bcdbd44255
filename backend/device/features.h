// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <cstdint>

#include "rnic/attributes.h"

namespace vrdma::device {

// The mask with the bit of one feature; none for VRDMA_NO_FEATURE.
constexpr uint64_t feature_mask(uint32_t feature) {
    return feature == VRDMA_NO_FEATURE ? 0 : uint64_t{1} << feature;
}

// The features (VRDMA_F_*, as a mask) that a device offers for an RNIC with `attributes`.
constexpr uint64_t features_of(const rnic::DeviceAttributes& attributes) {
    uint64_t features = 0;
#define VRDMA_OFFER(name, bit, attribute) features |= attributes.attribute ? feature_mask(name) : 0;
    VRDMA_FEATURES(VRDMA_OFFER)
#undef VRDMA_OFFER
    return features;
}

}  // namespace vrdma::device
