// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <string>

namespace vrdma::uverbs {

// The enum rdma_driver_id of an RNIC, as the kernel tells it over netlink (Linux 5.3 and
// newer).  Throws HostRnicError.
uint32_t query_driver_id(const std::string& name);

// The netdev of an RNIC's port, as the kernel tells it over netlink.  Empty when the port has none.
// Throws HostRnicError.
std::string query_netdev(const std::string& name, uint32_t port);

}  // namespace vrdma::uverbs
