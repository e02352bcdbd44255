// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <string>

#include "rnic/uverbs/addressing/host_gid_table.h"

namespace vrdma::uverbs {

// The IP addresses of a netdev, as the GIDs that RoCE would make of them.  They stand in for the
// GID table that an iWARP RNIC does not have.
HostGids addresses_of_netdev(const std::string& netdev);

}  // namespace vrdma::uverbs
