// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <memory>

#include "device/objects/memory_quota.h"
#include "device/objects/ref.h"
#include "device/verbs/cq.h"
#include "device/verbs/pd.h"
#include "device/verbs/xrcd.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A shared receive queue.
struct SrqObject {
    uint32_t uctx = 0;  // the user context that owns it
    Ref<PdObject> pd;
    Ref<XrcdObject> xrcd;  // with XRC, as is the next
    Ref<CqObject> cq;
    MemoryCharge charge;
    std::unique_ptr<rnic::SharedReceiveQueue> srq;
    RefCount users{};
};

}  // namespace vrdma::device
