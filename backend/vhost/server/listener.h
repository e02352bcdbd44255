// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>
#include <memory>
#include <string>
#include <utility>

#include "vhost/device.h"
#include "vhost/server/connection.h"
#include "vhost/server/event_loop.h"
#include "vhost/server/listening_socket.h"
#include "vhost/server/machine.h"

namespace vrdma::vhost {

// Serves one device on one Unix socket path, to one VMM at a time; when the VMM leaves another
// may come.  One thread runs run().
class Listener {
  public:
    // Serves only whom `access` names.  `memory` maps what VMMs hand over, `receiver` reads what
    // they send.  Throws std::runtime_error when the path cannot be listened on, or the kernel
    // lacks what a connection needs.
    Listener(std::string path, const SocketAccess& access, Device& device,
             const std::shared_ptr<spdlog::logger>& logger,
             std::shared_ptr<RegionMapper> memory = std::make_shared<RegionMapper>(),
             std::shared_ptr<Receiver> receiver = nullptr);
    // Serves whom the permissions of the path let in.
    Listener(std::string path, mode_t mode, Device& device,
             const std::shared_ptr<spdlog::logger>& logger)
        : Listener(std::move(path), SocketAccess{.mode = mode}, device, logger) {}

    // Disconnects the VMM and removes the path.  run() must have returned.
    ~Listener() = default;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    // Accepts and serves until stop().  Before it returns it disconnects the VMM.
    void run();

    // Makes run() return, also one that has not begun.  Any thread.
    void stop() { loop_.stop(); }

    const std::string& path() const { return socket_.path(); }

  private:
    void accept();

    Device& device_;
    const Machine machine_;
    const SocketAccess access_;
    ListeningSocket socket_;
    EventLoop loop_;
    std::unique_ptr<EventfdSignaller> signaller_ = std::make_unique<EventfdSignaller>();
    std::unique_ptr<Connection> connection_;
};

}  // namespace vrdma::vhost
