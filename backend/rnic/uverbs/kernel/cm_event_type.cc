// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The kernel's own headers do not number the events for user programs.  librdmacm's header does; it
// repeats enumerations of <rdma/rdma_user_cm.h>, so no other file includes it.
#include "rnic/uverbs/kernel/cm_event_type.h"

#include <rdma/rdma_cma.h>

namespace vrdma::uverbs {

CmEventType cm_event_type(uint32_t event) {
    switch (event) {
        case RDMA_CM_EVENT_ADDR_RESOLVED:
            return CmEventType::kAddressResolved;
        case RDMA_CM_EVENT_ADDR_ERROR:
            return CmEventType::kAddressError;
        case RDMA_CM_EVENT_ROUTE_RESOLVED:
            return CmEventType::kRouteResolved;
        case RDMA_CM_EVENT_ROUTE_ERROR:
            return CmEventType::kRouteError;
        case RDMA_CM_EVENT_CONNECT_REQUEST:
            return CmEventType::kConnectRequest;
        case RDMA_CM_EVENT_CONNECT_ERROR:
            return CmEventType::kConnectError;
        case RDMA_CM_EVENT_UNREACHABLE:
            return CmEventType::kUnreachable;
        case RDMA_CM_EVENT_REJECTED:
            return CmEventType::kRejected;
        case RDMA_CM_EVENT_ESTABLISHED:
            return CmEventType::kEstablished;
        case RDMA_CM_EVENT_DISCONNECTED:
            return CmEventType::kDisconnected;
        case RDMA_CM_EVENT_DEVICE_REMOVAL:
            return CmEventType::kDeviceRemoval;
        case RDMA_CM_EVENT_MULTICAST_JOIN:
            return CmEventType::kMulticastJoin;
        case RDMA_CM_EVENT_MULTICAST_ERROR:
            return CmEventType::kMulticastError;
        default:
            return CmEventType::kOther;
    }
}

}  // namespace vrdma::uverbs
