// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The numbers of events, which need librdmacm's header.  That header does not go with
// <rdma/rdma_user_cm.h>.
#pragma once

#include <cstdint>

namespace vrdma::uverbs {

extern const uint32_t kAddressResolvedEvent;
extern const uint32_t kAddressErrorEvent;
extern const uint32_t kRouteResolvedEvent;
extern const uint32_t kConnectRequestEvent;
extern const uint32_t kRejectedEvent;
extern const uint32_t kEstablishedEvent;
extern const uint32_t kDisconnectedEvent;
extern const uint32_t kMulticastJoinEvent;

}  // namespace vrdma::uverbs
