// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "budget.h"
#include "device/objects/memory_quota.h"
#include "device/objects/ref.h"
#include "device/verbs/cq.h"
#include "device/verbs/pd.h"
#include "device/verbs/srq.h"
#include "device/verbs/xrcd.h"
#include "rnic/rnic.h"

namespace vrdma::device {

// A queue pair.  A target of XRC belongs to the device, as its domain does, and refers to nothing
// else; an initiator has no recv_cq.
struct QpObject {
    uint32_t uctx = 0;  // the user context that owns it, or VRDMA_NO_HANDLE
    Ref<PdObject> pd;
    Ref<CqObject> send_cq;
    Ref<CqObject> recv_cq;
    Ref<SrqObject> srq;  // or none
    Ref<XrcdObject> xrcd;
    MemoryCharge charge;
    std::unique_ptr<rnic::QueuePair> qp;
    bool sq_sig_all = false;
    std::map<rnic::Gid, Charge> groups{};  // multicast groups that it is attached to
};

}  // namespace vrdma::device
