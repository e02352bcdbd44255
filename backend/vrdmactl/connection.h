// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/types.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "file_descriptor.h"

namespace vrdma::vrdmactl {

// The exit statuses of the program.
enum Status { kDone = 0, kRefused = 1, kUsage = 2, kNotReachable = 3 };

// Why there is no result; what() says what to do.
class Failure : public std::runtime_error {
  public:
    Failure(Status status, const std::string& message)
        : std::runtime_error(message), status_(status) {}
    Status status() const { return status_; }

  private:
    Status status_;
};

// A connection to a daemon's control socket (docs/control.md).  Everything throws Failure.
class Connection {
  public:
    // How long a daemon that does not answer is waited for.
    static constexpr std::chrono::seconds kPatience{10};

    explicit Connection(const std::string& path);

    // The result of a method.
    nlohmann::json call(const std::string& method, nlohmann::json parameters = {});

    // The parameters of the next event, however long it takes.
    nlohmann::json next_event() { return next_event_before(std::nullopt).value(); }
    // The same, or nothing if none comes before `end`; without an `end`, however long it takes.
    using Clock = std::chrono::steady_clock;
    std::optional<nlohmann::json> next_event_before(std::optional<Clock::time_point> end);

    // The daemon's process, as the kernel says (SO_PEERCRED).
    pid_t peer() const;

  private:
    void send(const std::string& line);
    std::optional<nlohmann::json> receive(std::optional<Clock::time_point> deadline);

    FileDescriptor socket_;
    std::string received_;
    int id_ = 0;
};

}  // namespace vrdma::vrdmactl
