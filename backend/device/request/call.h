// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_protocol.h>

#include <cstdint>

#include "device/objects/memory_quota.h"
#include "device/request/request_memory.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// The part of a request that a verb gets besides the fixed structure.
struct Call {
    uint32_t uctx = VRDMA_NO_HANDLE;  // the user context that issues it
    rnic::Udata udata;
    GuestRuns runs{};        // of a memory region
    MemoryUse lasting{};     // of udata.regions, what the new object keeps in use
    bool cancelled = false;  // set by a verb that waited for the shared memory region in vain
};

}  // namespace vrdma::device
