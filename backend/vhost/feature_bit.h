// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

namespace vrdma::vhost {

// The bit of a virtio or vhost-user feature with this number.
constexpr uint64_t bit(unsigned number) {
    return uint64_t{1} << number;
}

}  // namespace vrdma::vhost
