// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "device/objects/memory_quota.h"
#include "device/objects/ref.h"
#include "device/verbs/pd.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A memory region.
struct MrObject {
    uint32_t uctx = 0;  // the user context that owns it
    Ref<PdObject> pd;
    MemoryCharge charge;  // nothing for a DMA region, which follows the memory that the guest has
    std::unique_ptr<rnic::MemoryRegion> mr;
};

}  // namespace vrdma::device
