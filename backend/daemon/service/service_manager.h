// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::daemon {

// The service manager that started this process, such as systemd, by the protocol of sd_notify(3).
// The socket is opened once, at the start: a process under the seccomp filter opens none.
class ServiceManager {
  public:
    // Takes NOTIFY_SOCKET, WATCHDOG_USEC and the files of sd_listen_fds_with_names(3) from the
    // environment.  Without them there is nobody to tell, and the functions below do nothing.
    // Throws std::runtime_error when there is a socket and it cannot be reached.
    ServiceManager();

    // Whether somebody hears what is told.
    bool listens() const { return socket_.valid(); }

    void ready() const { tell("READY=1"); }
    void stopping() const { tell("STOPPING=1"); }
    void alive() const { tell("WATCHDOG=1"); }

    // The file that an earlier process of the service has stored under this name, once, or none.
    // The manager's store has it no longer.
    FileDescriptor take_stored(const std::string& name);

    // Has the manager keep a file for the service's next process, and returns when it has heard.
    // It says nothing of a file that it does not keep (FileDescriptorStoreMax= in systemd.exec(5)),
    // and closes it then.  Errors of the system calls; ENOTCONN without a manager, ETIMEDOUT when
    // it does not answer.
    Result<void> store(const std::string& name, FileDescriptor file) const;

    // How long the manager waits for alive() before it kills this process (sd_watchdog_enabled(3)).
    std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

  private:
    void tell(std::string_view state) const;

    FileDescriptor socket_;
    std::optional<std::chrono::microseconds> watchdog_;
    std::map<std::string, FileDescriptor> stored_;
};

}  // namespace vrdma::daemon
