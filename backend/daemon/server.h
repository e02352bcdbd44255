// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
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
#include "vhost/server/listener.h"

namespace vrdma::daemon {

// The RNIC and the virtual devices that share it, each with its socket and thread.
class Server {
  public:
    // One for each VM of the configuration, in its order.
    using Receivers = std::vector<std::shared_ptr<vhost::Receiver>>;

    // Starts the processes that read what VMMs send.  The caller has no threads yet.
    static Receivers start_receivers(const Config& config);

    // Makes every VM's socket; start() serves them.  Without `receivers`, threads of this process
    // read what VMMs send.  Throws std::runtime_error (ConfigError,
    // std::system_error among them) when a socket or a thread cannot be had.
    Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic,
           const std::shared_ptr<spdlog::logger>& logger, const Receivers& receivers = {});

    // Disconnects every VM and frees everything.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Begins to serve the VMs.  Throws std::system_error when a thread cannot be had.
    void start();

    // Returns once each thread of the RNIC that serves all VMs has come to the end of what it was
    // doing.
    void wait_for_rnic_threads() { rnic_->wait_for_threads(); }

    // The state of everything as a JSON document.
    std::string status() const;

    // Gives each virtual machine the limits that `config` has for the one of its name.
    void set_limits(const Config& config);

  private:
    // One virtual machine's device, served on its socket by a thread of its own from
    // start() to the end of the object.
    class Vm {
      public:
        Vm(const VmConfig& config, const vhost::SocketAccess& access,
           const vhost::MemoryRules& memory, rnic::Rnic& rnic,
           const std::shared_ptr<spdlog::logger>& logger,
           std::shared_ptr<vhost::Receiver> receiver);
        ~Vm();
        Vm(const Vm&) = delete;
        Vm& operator=(const Vm&) = delete;

        void start();
        void stop() { listener_.stop(); }  // without waiting

        const std::string& name() const { return name_; }
        const std::string& socket() const { return listener_.path(); }
        device::VirtualDevice::Status status() { return device_.status(); }
        void set_limits(const device::Limits& limits) { device_.set_limits(limits); }

      private:
        const std::string name_;
        device::VirtualDevice device_;
        vhost::Listener listener_;
        std::thread thread_;
    };

    const std::unique_ptr<rnic::Rnic> rnic_;
    const std::shared_ptr<spdlog::logger> logger_;
    std::vector<std::unique_ptr<Vm>> vms_;
    std::unique_ptr<StatusSocket> status_;
};

}  // namespace vrdma::daemon
