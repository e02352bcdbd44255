// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/sink.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vrdma::daemon {

// "trace", "debug", "info", "warning", "error", "critical" or "off".
std::optional<spdlog::level::level_enum> parse_log_level(std::string_view text);

// The loggers of the subsystems, whose levels can be changed at any time.  The level is that of a
// sink, which all copies of a logger have in common; the loggers themselves take everything.
class LogLevels {
  public:
    // daemon: the program itself; rnic: the RNIC, embedded or the host's; device: the guests'
    // devices; vhost: connections of VMMs.
    static constexpr std::array<std::string_view, 4> kSubsystems{"daemon", "rnic", "device",
                                                                 "vhost"};

    // What the loggers are called.
    static constexpr const char* kLoggerName = "vrdmad";

    // Everything goes to `sink`, in a LogScope with the subsystem.
    LogLevels(const spdlog::sink_ptr& sink, spdlog::level::level_enum level);

    // The logger of a subsystem, which is one of the above.
    std::shared_ptr<spdlog::logger> logger(std::string_view subsystem) const;

    spdlog::level::level_enum level(std::string_view subsystem) const;
    // Any thread.
    void set(std::string_view subsystem, spdlog::level::level_enum level);
    void set_all(spdlog::level::level_enum level);

  private:
    size_t index_of(std::string_view subsystem) const;

    std::vector<spdlog::sink_ptr> sinks_;  // in the order of kSubsystems
};

}  // namespace vrdma::daemon
