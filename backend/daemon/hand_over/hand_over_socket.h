// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <filesystem>
#include <memory>
#include <thread>

#include "daemon/server/server.h"
#include "file_descriptor.h"
#include "vhost/server/listening_socket.h"

namespace vrdma::daemon {

// Where the socket is by which the successor of a vrdmad with this control socket asks for its
// guests.
std::filesystem::path hand_over_path(const std::filesystem::path& control_socket);

// Gives all guests to a successor that asks on a Unix socket, and ends the process then.
class HandOverSocket {
  public:
    // A thread of its own serves the socket, one successor at a time, root or a process of this
    // one's user.  `server` outlives the object.  Throws std::runtime_error when the socket cannot
    // be made.
    HandOverSocket(const std::filesystem::path& path, Server& server,
                   std::shared_ptr<spdlog::logger> logger);
    ~HandOverSocket();
    HandOverSocket(const HandOverSocket&) = delete;
    HandOverSocket& operator=(const HandOverSocket&) = delete;

  private:
    void run();
    void give(const FileDescriptor& successor);

    Server& server_;
    const std::shared_ptr<spdlog::logger> logger_;
    vhost::ListeningSocket socket_;
    FileDescriptor stop_;
    std::thread thread_;
};

}  // namespace vrdma::daemon
