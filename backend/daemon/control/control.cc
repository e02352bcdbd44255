// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/control/control.h"

namespace vrdma::daemon {

Control::Control(const Config& config, const control::Permissions& permissions, Server& server,
                 LogLevels& levels, Reloader& reloader, control::EventQueue& events)
    : limit_watch_(server, events),
      dispatcher_(control_methods({config, server, levels, reloader, history_}),
                  control::administrators_of(permissions), levels.logger("daemon")) {
    const auto path = config.control_socket.value_or("");
    if (!path.empty()) {
        socket_.emplace(
            control::ControlSocket::Options{
                .path = path,
                .permissions = permissions,
                .watched =
                    control::ControlSocket::Watched{.fd = limit_watch_.fd(),
                                                    .look = [this] { limit_watch_.look(); }}},
            dispatcher_, events, history_, levels.logger("daemon"));
    }
}

}  // namespace vrdma::daemon
