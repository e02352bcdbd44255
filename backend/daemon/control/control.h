// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <optional>

#include "control/control_socket.h"
#include "control/dispatcher.h"
#include "control/events.h"
#include "control/permissions.h"
#include "daemon/control/control_methods.h"

namespace vrdma::daemon {

// The control socket and what it works on; nothing of it if the configuration has no socket.
class Control {
  public:
    // All arguments outlive this object, and `events` is what the server's watcher fills.  Throws
    // std::runtime_error when the socket cannot be made.
    Control(const Config& config, const control::Permissions& permissions, Server& server,
            LogLevels& levels, Reloader& reloader, control::EventQueue& events);

    const control::Dispatcher& dispatcher() const { return dispatcher_; }

  private:
    control::EventHistory history_;
    LimitWatch limit_watch_;
    const control::Dispatcher dispatcher_;
    std::optional<control::ControlSocket> socket_;  // the last, as its thread uses the others
};

}  // namespace vrdma::daemon
