// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <functional>
#include <memory>

#include "daemon/config.h"
#include "vhost/receiver/receiver.h"
#include "vhost/server/listening_socket.h"
#include "vhost/server/socket_access.h"

namespace vrdma::daemon {

// What a virtual machine needs of the host before it can be served.
struct Equipment {
    vhost::SocketAccess access;
    std::shared_ptr<vhost::ListeningSocket> socket;
    std::shared_ptr<vhost::Receiver> receiver;  // null: threads of this process read from the VMM
};

// Makes the equipment of a virtual machine that `config` has, or may have one day.  Throws
// std::runtime_error (ConfigError, std::system_error among them) when it cannot be had.
using Equip = std::function<Equipment(const Config& config, const VmConfig& vm)>;

// Makes it in this process, without a receiver.
Equipment equip_here(const Config& config, const VmConfig& vm);

}  // namespace vrdma::daemon
