// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "unit/uverbs/fakes/fake_cm_events.h"

#include <rdma/rdma_cma.h>

namespace vrdma::uverbs {

const uint32_t kAddressResolvedEvent = RDMA_CM_EVENT_ADDR_RESOLVED;
const uint32_t kAddressErrorEvent = RDMA_CM_EVENT_ADDR_ERROR;
const uint32_t kRouteResolvedEvent = RDMA_CM_EVENT_ROUTE_RESOLVED;
const uint32_t kConnectRequestEvent = RDMA_CM_EVENT_CONNECT_REQUEST;
const uint32_t kRejectedEvent = RDMA_CM_EVENT_REJECTED;
const uint32_t kEstablishedEvent = RDMA_CM_EVENT_ESTABLISHED;
const uint32_t kDisconnectedEvent = RDMA_CM_EVENT_DISCONNECTED;
const uint32_t kMulticastJoinEvent = RDMA_CM_EVENT_MULTICAST_JOIN;

}  // namespace vrdma::uverbs
