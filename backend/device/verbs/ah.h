// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "device/objects/ref.h"
#include "device/verbs/pd.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// An address handle.
struct AhObject {
    uint32_t uctx = 0;  // the user context that owns it
    Ref<PdObject> pd;
    std::unique_ptr<rnic::AddressHandle> ah;
    rnic::AhAttributes attributes;
};

}  // namespace vrdma::device
