// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <spdlog/logger.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/status_socket.h"
#include "device/virtual_device.h"
#include "rnic/rnic.h"
#include "vhost/listener.h"

namespace vrdma::daemon {

// The RNIC and the virtual devices that share it, each with its socket and thread.
class Server {
  public:
    // Listens on every VM's socket.  Throws std::runtime_error (ConfigError,
    // std::system_error among them) when something of it cannot be had.
    Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic,
           std::shared_ptr<spdlog::logger> logger);

    // Disconnects every VM and frees all.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // The state of everything as a JSON document.
    std::string status() const;

  private:
    struct Vm {
        std::string name;
        std::unique_ptr<device::VirtualDevice> device;
        std::unique_ptr<vhost::Listener> listener;
        std::thread thread;
    };

    const std::unique_ptr<rnic::Rnic> rnic_;
    std::vector<Vm> vms_;
    std::unique_ptr<StatusSocket> status_;
};

}  // namespace vrdma::daemon
