// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include "control/permissions.h"
#include "daemon/config.h"
#include "vhost/server/socket_access.h"

namespace vrdma::daemon {

// Whose the socket of a virtual machine is, by the configuration's names or numbers of users and
// groups.  Throws ConfigError for a name that this host does not know.
vhost::SocketAccess socket_access(const Config& config, const VmConfig& vm);

// Who may use the control socket.  Throws ConfigError for a group that this host does not know.
control::Permissions control_permissions(const Config& config);

}  // namespace vrdma::daemon
