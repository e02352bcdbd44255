// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/rnic.h"

namespace vrdma::device {

// A user context of the guest: one user of the RNIC.
struct UcontextObject {
    std::unique_ptr<rnic::Context> context;
};

}  // namespace vrdma::device
