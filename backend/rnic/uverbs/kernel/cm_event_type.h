// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>

namespace vrdma::uverbs {

// The events of the kernel's connection manager that the daemon looks at.
enum class CmEventType {
    kAddressResolved,
    kAddressError,
    kRouteResolved,
    kRouteError,
    kConnectRequest,
    kConnectError,
    kUnreachable,
    kRejected,
    kEstablished,
    kDisconnected,
    kDeviceRemoval,
    kMulticastJoin,
    kMulticastError,
    kOther,
};

// The type of an event whose struct rdma_ucm_event_resp has this `event`.
CmEventType cm_event_type(uint32_t event);

}  // namespace vrdma::uverbs
