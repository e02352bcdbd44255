// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <semaphore>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/config.h"
#include "daemon/equipment/equipment.h"
#include "daemon/server/status_socket.h"
#include "device/virtual_device.h"
#include "limit_counter.h"
#include "rnic/rnic.h"
#include "vhost/server/listener.h"

namespace vrdma::state {
class Daemon;
class FilesToSend;
class Machine;
class ReceivedFiles;
}  // namespace vrdma::state

namespace vrdma::daemon {

// The RNIC and the virtual devices that share it, each with its socket and thread.  Virtual
// machines come and go while it serves.
class Server {
  public:
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

    // Hears what happens to the guests, on the threads that serve them and on those that change
    // them; waits for nobody.  `kind` is one of event_kinds.h, and `details` are its further keys.
    using Watcher = std::function<void(std::string_view kind, const std::string& guest,
                                       const nlohmann::json& details)>;

    // The limits of one guest as they are now.
    struct GuestLimits {
        std::string name;
        bool connected;
        std::vector<device::VirtualDevice::LimitStatus> limits;
    };

    // The names of the virtual machines that came, went, and came anew with a change.
    struct Changes {
        std::vector<std::string> added{};
        std::vector<std::string> removed{};
        std::vector<std::string> renewed{};
        bool operator==(const Changes&) const = default;
    };

    // Has `equip` make every VM's socket; start() serves them.  `rnic` has admitted them.  Throws
    // std::runtime_error (ConfigError, std::system_error among them) when a socket or a thread
    // cannot be had.
    Server(
        const Config& config, std::unique_ptr<rnic::Rnic> rnic, Loggers loggers,
        Equip equip = equip_here,
        Watcher watcher = [](std::string_view, const std::string&, const nlohmann::json&) {});

    // Disconnects every VM and frees everything.
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Makes the status socket, if the configuration has one.  Throws std::runtime_error when it
    // cannot be had.
    void open_status_socket();

    // Begins to serve the VMs.  Throws std::system_error when a thread cannot be had.
    void start();

    // Goes on with the guests that the virtual machines had in another process.  Before start().  A
    // guest that cannot be gone on with is logged, and its VMM is disconnected, after which it
    // connects anew.
    void restore(const state::Daemon& daemon, state::ReceivedFiles& files);

    // Stops all guests, and gives their state to `give`, which passes it to a successor.  Where
    // that fails they go on here, and the error is that of `give`.  A guest that cannot be passed
    // on is not in the state, and logged.  Any thread; machines come and go before or after that.
    using Give =
        std::function<Result<void>(const state::Daemon& daemon, std::span<const int> files)>;
    Result<void> hand_over(const Give& give);

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
    // The objects of one guest by kind, null while a verb of the guest runs; none if there is no
    // such guest.
    std::optional<nlohmann::json> objects(const std::string& name) const;
    // The RNIC's name and how many objects it has.
    nlohmann::json rnic() const;
    // What was taken over from another vrdmad: `version` of that one, `guests` by their names,
    // `stood_still_ms`.  Null when nothing was, or start() has not been called.
    nlohmann::json taken_over() const;
    std::vector<GuestLimits> limits() const;
    // Raised when a guest reaches one of them.
    LimitSignal& limit_signal() { return *limit_signal_; }

    // Serves the virtual machines of `wanted` from now on, with its limits.  One that is there by
    // another socket, MAC address or other address rules is disconnected, and served anew.  Waits
    // until what has gone is disconnected, and all that it had is free.  Throws std::runtime_error
    // (ConfigError, std::system_error among them) when a socket or a thread cannot be had, and then
    // nothing has changed.  Nothing else of `wanted` counts.
    Changes serve(const Config& wanted);

    // As serve(), with one virtual machine more.
    void add(const VmConfig& vm);
    // As serve(), with one less.  Returns false if there is no such guest.
    bool remove(const std::string& name);

    // Has a guest drained, or not any more.  While it is, a VMM that connects is turned away, and
    // the guest gets nothing new of the kinds in kDrained (server.cc), while what it has goes on.
    // Returns false if there is no such guest.
    bool drain(const std::string& name, bool yes);

    // Gives a guest the limits that `change` makes of those that it has.  Returns false if there is
    // no such guest.
    bool change_limits(const std::string& name, const std::function<void(device::Limits&)>& change);

  private:
    // One virtual machine's device, served on its socket by a thread of its own from
    // start() to the end of the object.
    class Vm {
      public:
        Vm(const VmConfig& config, Equipment equipment, const vhost::MemoryRules& memory,
           rnic::Rnic& rnic, const Loggers& loggers, const Watcher& watcher,
           std::shared_ptr<LimitSignal> limit_signal);
        ~Vm();
        Vm(const Vm&) = delete;
        Vm& operator=(const Vm&) = delete;

        void start() { begin_.release(); }  // once

        // Has the guest stand still until resume().  wait_suspended() returns whether it does, by
        // `deadline`.
        void suspend();
        bool wait_suspended(std::chrono::steady_clock::time_point deadline);
        void resume();
        // See Listener.
        void save_socket(state::Machine& machine, state::FilesToSend& files) const;
        Result<void> save(state::Machine& machine, state::FilesToSend& files) {
            return listener_.save(machine, files);
        }
        tl::expected<void, std::string> restore(const state::Machine& machine,
                                                state::ReceivedFiles& files);
        void stop() { listener_.stop(); }  // without waiting

        const std::string& name() const { return config_.name; }
        const VmConfig& config() const { return config_; }  // its limits are as at the start
        const Equipment& equipment() const { return equipment_; }
        const std::string& socket() const { return listener_.path(); }
        device::VirtualDevice& device() { return device_; }

        // Any thread.
        device::Limits limits() const;
        bool drained() const { return drained_.load(std::memory_order_relaxed); }
        void change_limits(const std::function<void(device::Limits&)>& change);
        void drain(bool yes);

      private:
        void serve();
        void apply_limits();

        const VmConfig config_;
        const Equipment equipment_;
        std::atomic<bool> drained_ = false;  // before the device, whose threads ask for it
        device::VirtualDevice device_;
        vhost::Listener listener_;
        mutable std::mutex limits_mutex_;  // guards the one that follows, and changes of drained_
        device::Limits limits_;            // as the operator wants them
        std::counting_semaphore<2> begin_{0};  // released at the start and at the end
        std::mutex standstill_mutex_;          // guards the three that follow
        std::condition_variable standstill_changed_;
        bool suspend_wanted_ = false;
        bool suspended_ = false;
        std::thread thread_;
    };
    using Vms = std::vector<std::unique_ptr<Vm>>;

    enum class WithLimits { kNo, kYes };
    Changes change(const std::vector<VmConfig>& wanted, WithLimits with_limits);
    std::vector<VmConfig> configured() const;
    Equipment equipment_for(const VmConfig& vm) const;
    nlohmann::json document(Vm& vm) const;
    Vm* find(const std::string& name) const;

    const Config config_;  // of which the virtual machines do not count
    const std::unique_ptr<rnic::Rnic> rnic_;
    std::unique_ptr<rnic::Rnic::Pause> pause_;  // from restore() to start()
    // From another daemon.
    struct TakenOver {
        std::string version;
        std::vector<std::string> guests;
        std::chrono::steady_clock::time_point stopped_at;
        std::optional<std::chrono::milliseconds> stood_still;  // once they go on
    };
    std::optional<TakenOver> taken_over_;  // guarded by vms_mutex_ from start() on
    const Loggers loggers_;
    const std::shared_ptr<spdlog::logger> logger_;
    const Equip equip_;
    const Watcher watcher_;
    const std::shared_ptr<LimitSignal> limit_signal_ = std::make_shared<LimitSignal>();
    std::mutex change_mutex_;  // held while virtual machines come and go; taken first
    // Guards vms_: held exclusively for the moment in which the list changes, so that whoever looks
    // through the list does not wait for a machine to end.
    mutable std::shared_mutex vms_mutex_;
    Vms vms_;
    std::unique_ptr<StatusSocket> status_;
};

}  // namespace vrdma::daemon
