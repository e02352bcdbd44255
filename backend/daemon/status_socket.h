// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <spdlog/logger.h>

#include "file_descriptor.h"

namespace vrdma::daemon {

// A Unix socket that tells everyone who connects how the daemon is: one document, then
// end of file.
class StatusSocket {
  public:
    // Calls `document` on a thread of its own for every connection.  Throws
    // std::system_error when the socket cannot be made.
    StatusSocket(std::filesystem::path path, std::function<std::string()> document,
                 std::shared_ptr<spdlog::logger> logger);
    ~StatusSocket();
    StatusSocket(const StatusSocket&) = delete;
    StatusSocket& operator=(const StatusSocket&) = delete;

  private:
    void run();

    const std::filesystem::path path_;
    const std::function<std::string()> document_;
    const std::shared_ptr<spdlog::logger> logger_;
    FileDescriptor socket_;
    FileDescriptor stop_;
    std::thread thread_;
};

}  // namespace vrdma::daemon
