// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.h"
#include "daemon/logging/log_levels.h"
#include "daemon/server/server.h"

namespace vrdma::daemon {

// What `wanted` has that a daemon with `running` cannot take over while it runs, a sentence each,
// which says what the daemon does instead.
std::vector<std::string> unchangeable(const Config& running, const Config& wanted);

// Has a running daemon take its configuration file anew.
class Reloader {
  public:
    struct Outcome {
        bool taken = false;
        std::string sentence;                // what has happened, or why nothing has
        std::vector<std::string> unchanged;  // what needs a restart, a sentence each
        Server::Changes changes{};
    };

    // `file` is empty if there is none.  `read` makes a configuration of it, or throws.  Server and
    // levels outlive this object.
    Reloader(std::string file, std::function<Config()> read, Config running, Server& server,
             LogLevels& levels);

    // Has the server serve the virtual machines of the configuration as it is now, with their
    // limits, and gives the loggers its level.  What 'add' and 'remove' of the control socket did
    // is undone. A configuration with a mistake changes nothing.  The log has the same sentences,
    // which begin with `why`.  Any thread.
    Outcome reload(std::string_view why);

    bool has_file() const { return !file_.empty(); }

    // The limits of a virtual machine of which the configuration says nothing.  Any thread.
    device::Limits default_limits() const;

  private:
    Outcome take();

    const std::string file_;
    const std::function<Config()> read_;
    Server& server_;
    LogLevels& levels_;
    const std::shared_ptr<spdlog::logger> logger_;
    mutable std::mutex mutex_;  // one at a time; guards running_
    Config running_;
};

}  // namespace vrdma::daemon
