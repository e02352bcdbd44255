// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <spdlog/logger.h>
#include <memory>
#include <string>

#include "file_descriptor.h"
#include "vhost/connection.h"
#include "vhost/device.h"
#include "vhost/event_loop.h"

namespace vrdma::vhost {

// Serves one device on one unix socket path, to one VMM at a time; when that one leaves
// another may come.  One thread runs run().
class Listener {
  public:
    // Binds `path` with the given permissions and listens.  A socket that nobody listens
    // on any more is replaced.  Throws std::runtime_error when somebody does, when the
    // path is something else than a socket, or when it cannot be made.
    Listener(std::string path, mode_t mode, Device& device, std::shared_ptr<spdlog::logger> logger);

    // Disconnects the VMM and removes the path.  run() must have returned.
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Accepts and serves until stop(); the VMM is disconnected when it returns.
    void run();

    // Makes run() return, also one that has not begun.  From any thread.
    void stop() { loop_.stop(); }

    const std::string& path() const { return path_; }

  private:
    void accept();

    const std::string path_;
    Device& device_;
    const std::shared_ptr<spdlog::logger> logger_;
    FileDescriptor socket_;
    FileDescriptor reserve_;  // given up to accept a VMM when descriptors have run out
    ino_t inode_ = 0;         // of the path, to remove no one else's
    EventLoop loop_;
    std::unique_ptr<Connection> connection_;
};

}  // namespace vrdma::vhost
