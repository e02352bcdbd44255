// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "device/objects/memory_quota.h"
#include "device/objects/ref.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A completion queue.
struct CqObject {
    uint32_t uctx = 0;  // the user context that owns it
    // For the memory of its creation, and of each RESIZE_CQ: the guest's driver keeps all of it.
    std::vector<MemoryCharge> charges;
    std::unique_ptr<rnic::CompletionQueue> cq;
    RefCount users{};
};

}  // namespace vrdma::device
