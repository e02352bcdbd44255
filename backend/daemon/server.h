// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/status_socket.h"
#include "device/virtual_device.h"
#include "limit_counter.h"
#include "rnic/rnic.h"
#include "vhost/server/listener.h"

namespace vrdma::daemon {

// The RNIC and the virtual devices that share it, each with its socket and thread.
class Server {
  public:
    // One for each VM of the configuration, in its order.
    using Receivers = std::vector<std::shared_ptr<vhost::Receiver>>;

    // The loggers of the subsystems.
    struct Loggers {
        // One for all.
        Loggers(const std::shared_ptr<spdlog::logger>& logger) : Loggers(logger, logger, logger) {}
        Loggers(std::shared_ptr<spdlog::logger> daemon, std::shared_ptr<spdlog::logger> device,
                std::shared_ptr<spdlog::logger> vhost)
            : daemon(std::move(daemon)), device(std::move(device)), vhost(std::move(vhost)) {}

        std::shared_ptr<spdlog::logger> daemon;
        std::shared_ptr<spdlog::logger> device;
        std::shared_ptr<spdlog::logger> vhost;
    };

    // Hears what happens to the guests, on the threads that serve them; waits for nobody.
    using Watcher = std::function<void(const std::string& guest, device::Notice notice)>;

    // The limits of one guest as they are now.
    struct GuestLimits {
        std::string name;
        bool connected;
        std::vector<device::VirtualDevice::LimitStatus> limits;
    };

    // Starts the processes that read what VMMs send.  The caller has no threads yet.
    static Receivers start_receivers(const Config& config);

    // Makes every VM's socket; start() serves them.  Without `receivers`, threads of this process
    // read what VMMs send.  Throws std::runtime_error (ConfigError,
    // std::system_error among them) when a socket or a thread cannot be had.
    Server(
        const Config& config, std::unique_ptr<rnic::Rnic> rnic, const Loggers& loggers,
        const Receivers& receivers = {},
        const Watcher& watcher = [](const std::string&, device::Notice) {});

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

    // The functions from here on are for the control socket; any thread.

    std::vector<std::string> guest_names() const;

    // The figures of all guests, an array.
    nlohmann::json guests() const;
    // The figures of one, with its configuration; none if there is no such guest.
    std::optional<nlohmann::json> guest(const std::string& name) const;
    // The RNIC's name and how many objects it has.
    nlohmann::json rnic() const;
    std::vector<GuestLimits> limits() const;
    // Raised when a guest reaches one of them.
    LimitSignal& limit_signal() { return *limit_signal_; }

    // Gives each virtual machine the limits that `config` has for the one of its name.
    void set_limits(const Config& config);
    // Gives a guest the limits that `change` makes of those that it has.  Returns false if there is
    // no such guest.
    bool change_limits(const std::string& name, const std::function<void(device::Limits&)>& change);

  private:
    // One virtual machine's device, served on its socket by a thread of its own from
    // start() to the end of the object.
    class Vm {
      public:
        Vm(const VmConfig& config, const vhost::SocketAccess& access,
           const vhost::MemoryRules& memory, rnic::Rnic& rnic, const Loggers& loggers,
           std::shared_ptr<vhost::Receiver> receiver, const Watcher& watcher,
           std::shared_ptr<LimitSignal> limit_signal);
        ~Vm();
        Vm(const Vm&) = delete;
        Vm& operator=(const Vm&) = delete;

        void start();
        void stop() { listener_.stop(); }  // without waiting

        const std::string& name() const { return config_.name; }
        const VmConfig& config() const { return config_; }  // as it was at the start
        const std::string& socket() const { return listener_.path(); }
        device::VirtualDevice& device() { return device_; }

      private:
        const VmConfig config_;
        device::VirtualDevice device_;
        vhost::Listener listener_;
        std::thread thread_;
    };

    Vm* find(const std::string& name) const;

    const std::unique_ptr<rnic::Rnic> rnic_;
    const std::shared_ptr<spdlog::logger> logger_;
    const std::shared_ptr<LimitSignal> limit_signal_ = std::make_shared<LimitSignal>();
    std::vector<std::unique_ptr<Vm>> vms_;
    std::mutex limits_mutex_;  // held while limits are changed: others start from the result
    std::unique_ptr<StatusSocket> status_;
};

}  // namespace vrdma::daemon
