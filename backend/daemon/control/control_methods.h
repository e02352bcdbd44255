// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The methods of the control socket; docs/control.md has them for clients.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/events.h"
#include "control/method.h"
#include "control/permissions.h"
#include "daemon/config.h"
#include "daemon/logging/log_levels.h"
#include "daemon/server/event_kinds.h"
#include "daemon/server/reload.h"
#include "daemon/server/server.h"

namespace vrdma::daemon {

// Puts what happens to guests into `events`, which outlives the server that is watched.
Server::Watcher watcher_of(control::EventQueue& events);

// Finds limits that were reached: the guests' threads only count, and raise a signal.
class LimitWatch {
  public:
    LimitWatch(Server& server, control::EventQueue& events) : server_(server), events_(events) {}

    // Adds an event for each limit that was reached since the last call.
    void look();
    // Readable when look() would find one.
    int fd() const { return server_.limit_signal().fd(); }

  private:
    Server& server_;
    control::EventQueue& events_;
    std::map<std::string, std::map<std::string, uint64_t>> seen_;  // times, by guest and limit
};

// What the methods work on.  All of it outlives them.
struct Controlled {
    const Config& config;
    Server& server;
    LogLevels& levels;
    Reloader& reloader;
    const control::EventHistory& history;
};

// All methods.  They are called by one thread.
std::vector<control::Method> control_methods(const Controlled& controlled);

}  // namespace vrdma::daemon
