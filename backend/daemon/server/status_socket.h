// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "file_descriptor.h"
#include "vhost/server/listening_socket.h"

namespace vrdma::daemon {

// A Unix socket that sends the daemon's state to everyone who connects: one document, then
// the end of the file.
class StatusSocket {
  public:
    // Calls `document` on a thread of its own for every connection.  Throws
    // std::runtime_error when the socket cannot be made.
    StatusSocket(const std::filesystem::path& path, std::function<std::string()> document,
                 std::shared_ptr<spdlog::logger> logger);
    ~StatusSocket();
    StatusSocket(const StatusSocket&) = delete;
    StatusSocket& operator=(const StatusSocket&) = delete;

  private:
    void run();
    void answer(const FileDescriptor& client);

    const std::function<std::string()> document_;
    const std::shared_ptr<spdlog::logger> logger_;
    vhost::ListeningSocket socket_;
    FileDescriptor stop_;
    std::thread thread_;
};

}  // namespace vrdma::daemon
