// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "daemon/config.h"
#include "vhost/server/socket_access.h"

namespace vrdma::daemon {

// Whose the socket of a virtual machine is, by the configuration's names or numbers of users and
// groups.  Throws ConfigError for a name that this host does not know.
vhost::SocketAccess socket_access(const Config& config, const VmConfig& vm);

}  // namespace vrdma::daemon
