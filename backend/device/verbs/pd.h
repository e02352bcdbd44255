// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "device/objects/ref.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A protection domain.
struct PdObject {
    uint32_t uctx = 0;  // the user context that owns it
    std::unique_ptr<rnic::ProtectionDomain> pd;
    RefCount users{};
};

}  // namespace vrdma::device
