// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "file_descriptor.h"

namespace vrdma::daemon {

// The service manager that started this process, such as systemd, by the protocol of sd_notify(3).
// The socket is opened once, at the start: a process under the seccomp filter opens none.
class ServiceManager {
  public:
    // Takes NOTIFY_SOCKET and WATCHDOG_USEC from the environment.  Without them there is nobody to
    // tell, and the functions below do nothing.  Throws std::runtime_error when there is a socket
    // and it cannot be reached.
    ServiceManager();

    void ready() const { tell("READY=1"); }
    void stopping() const { tell("STOPPING=1"); }
    void alive() const { tell("WATCHDOG=1"); }

    // How long the manager waits for alive() before it kills this process (sd_watchdog_enabled(3)).
    std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

  private:
    void tell(std::string_view state) const;

    FileDescriptor socket_;
    std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace vrdma::daemon
