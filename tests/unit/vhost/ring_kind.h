// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <gtest/gtest.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <cstdint>
#include <ostream>
#include <string>

#include "vhost/protocol/vhost_user.h"

namespace vrdma::test {

inline constexpr uint64_t kBaseFeatures = vhost::bit(VIRTIO_F_VERSION_1) |
                                          vhost::bit(VIRTIO_RING_F_INDIRECT_DESC) |
                                          vhost::bit(vhost::kFeatureProtocolFeatures);

// A form of ring that the same tests run on.
struct RingKind {
    const char* name;
    uint64_t features;

    bool packed() const { return (features & vhost::bit(VIRTIO_F_RING_PACKED)) != 0; }
};

inline constexpr RingKind kSplit{"Split", kBaseFeatures};
inline constexpr RingKind kSplitEventIdx{"SplitEventIdx",
                                         kBaseFeatures | vhost::bit(VIRTIO_RING_F_EVENT_IDX)};
inline constexpr RingKind kPacked{"Packed", kBaseFeatures | vhost::bit(VIRTIO_F_RING_PACKED)};
inline constexpr RingKind kPackedEventIdx{"PackedEventIdx",
                                          kPacked.features | vhost::bit(VIRTIO_RING_F_EVENT_IDX)};

inline auto all_ring_kinds() {
    return testing::Values(kSplit, kSplitEventIdx, kPacked, kPackedEventIdx);
}

// How GoogleTest shows the parameter, and so the name under CTest.
inline void PrintTo(const RingKind& kind, std::ostream* out) {
    *out << kind.name;
}

inline std::string ring_kind_name(const testing::TestParamInfo<RingKind>& info) {
    return info.param.name;
}

}  // namespace vrdma::test
