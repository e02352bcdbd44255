// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "daemon/rnic/rnic_choice.h"
#include "daemon/server/event_kinds.h"
#include "daemon/server/guest_document.h"
#include "daemon/version.h"
#include "helper_thread.h"
#include "log_fields.h"

namespace vrdma::daemon {

namespace {

// What a guest that is drained gets no more of: all with which a program or a connection begins.
// What programs that run need to go on is not among it, such as memory regions and address handles.
constexpr uint64_t device::Limits::*kDrained[] = {
    &device::Limits::contexts,
    &device::Limits::protection_domains,
    &device::Limits::xrc_domains,
    &device::Limits::completion_queues,
    &device::Limits::shared_receive_queues,
    &device::Limits::queue_pairs,
    &device::Limits::multicast_attachments,
    &device::Limits::ucma_files,
    &device::Limits::connections,
};

std::string_view kind_of(device::Notice notice) {
    switch (notice) {
        case device::Notice::kConnected:
            return event_kind::kConnected;
        case device::Notice::kDisconnected:
            return event_kind::kDisconnected;
        case device::Notice::kReset:
            return event_kind::kReset;
        case device::Notice::kEmptied:
            return event_kind::kEmptied;
        default:
            return event_kind::kRnicRemoved;
    }
}

const std::string& or_default(const std::string& value, const std::string& otherwise) {
    return value.empty() ? otherwise : value;
}

// Whether the socket of both is the same users'.
bool same_access(const Config& config, const VmConfig& a, const VmConfig& b) {
    return or_default(a.socket_user, config.socket_user) ==
               or_default(b.socket_user, config.socket_user) &&
           or_default(a.socket_group, config.socket_group) ==
               or_default(b.socket_group, config.socket_group);
}

// Whether the one can become the other without an end of the device.
bool same_device(const Config& config, const VmConfig& a, const VmConfig& b) {
    return a.name == b.name && a.socket == b.socket && a.mac == b.mac &&
           a.addresses == b.addresses && same_access(config, a, b);
}

}  // namespace

Server::Vm::Vm(const VmConfig& config, Equipment equipment, const vhost::MemoryRules& memory,
               rnic::Rnic& rnic, const Loggers& loggers, const Watcher& watcher,
               std::shared_ptr<LimitSignal> limit_signal)
    : config_(config),
      equipment_(std::move(equipment)),
      device_({.guest = config.name,
               .mac = config.mac,
               .limits = config.limits,
               .limit_signal = std::move(limit_signal),
               .notify =
                   [this, watcher](device::Notice notice) {
                       // What programs of other guests free is of no interest.
                       if (notice != device::Notice::kEmptied || drained()) {
                           watcher(kind_of(notice), config_.name, nlohmann::json::object());
                       }
                   }},
              rnic, loggers.device),
      // The vhost library does not know which guest it serves: the logger's name says it.
      listener_(equipment_.socket, equipment_.access, device_, loggers.vhost->clone(config.name),
                std::make_shared<vhost::RegionMapper>(memory, device_.memory_budgets()),
                equipment_.receiver),
      limits_(config.limits),
      thread_([this] {
          begin_helper_thread("vrdma-vmm");
          begin_.acquire();
          serve();
      }) {}

Server::Vm::~Vm() {
    listener_.stop();
    begin_.release();
    resume();
    thread_.join();
}

device::Limits Server::Vm::limits() const {
    const std::lock_guard lock(limits_mutex_);
    return limits_;
}

void Server::Vm::change_limits(const std::function<void(device::Limits&)>& change) {
    const std::lock_guard lock(limits_mutex_);
    change(limits_);
    apply_limits();
}

void Server::Vm::drain(bool yes) {
    const std::lock_guard lock(limits_mutex_);
    drained_.store(yes, std::memory_order_relaxed);
    listener_.turn_away(yes);
    apply_limits();
}

void Server::Vm::apply_limits() {
    device::Limits limits = limits_;
    if (drained()) {
        for (const auto limit : kDrained) {
            limits.*limit = 0;
        }
    }
    device_.set_limits(limits);
}

Server::Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic, Loggers loggers, Equip equip,
               Watcher watcher)
    : config_(config),
      rnic_(std::move(rnic)),
      loggers_(std::move(loggers)),
      logger_(loggers_.daemon),
      equip_(std::move(equip)),
      watcher_(std::move(watcher)) {
    for (const VmConfig& vm : config.vms) {
        vms_.push_back(std::make_unique<Vm>(vm, equip_(config_, vm), config_.memory, *rnic_,
                                            loggers_, watcher_, limit_signal_));
    }
}

void Server::open_status_socket() {
    if (!config_.status_socket.empty()) {
        status_ = std::make_unique<StatusSocket>(
            config_.status_socket, [this] { return status(); }, logger_);
    }
}

void Server::start() {
    pause_.reset();
    for (const auto& vm : vms_) {
        vm->start();
        const LogScope scope({.guest = vm->name()});
        logger_->info("{}: waiting for the VMM on {}", vm->name(), vm->socket());
    }
    const std::lock_guard lock(vms_mutex_);
    if (taken_over_) {
        taken_over_->stood_still = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - taken_over_->stopped_at);
        logger_->info("the guests that were taken over stood still for {} ms",
                      taken_over_->stood_still->count());
    }
}

Server::~Server() {
    status_.reset();
    // All are told at once, so that they end side by side.
    for (const auto& vm : vms_) {
        vm->stop();
    }
}

// A socket that a machine has already, which goes or is renewed, is the new one's: QEMU need not
// find another one, and a mistake elsewhere leaves it where it is.
Equipment Server::equipment_for(const VmConfig& vm) const {
    const auto holder = std::ranges::find(vms_, vm.socket.lexically_normal(), [](const auto& old) {
        return old->config().socket.lexically_normal();
    });
    if (holder == vms_.end()) {
        return equip_(config_, vm);
    }
    if (!same_access(config_, (*holder)->config(), vm)) {
        throw ConfigError(fmt::format(
            "the socket {} cannot go to another user or group while vrdmad has it; take the "
            "virtual machine '{}' out, reload, and put it in again",
            vm.socket.string(), (*holder)->name()));
    }
    return (*holder)->equipment();
}

Server::Changes Server::serve(const Config& wanted) {
    const std::lock_guard changing(change_mutex_);
    return change(wanted.vms, WithLimits::kYes);
}

void Server::add(const VmConfig& vm) {
    const std::lock_guard changing(change_mutex_);
    std::vector<VmConfig> wanted = configured();
    wanted.push_back(vm);
    change(wanted, WithLimits::kNo);
}

bool Server::remove(const std::string& name) {
    const std::lock_guard changing(change_mutex_);
    std::vector<VmConfig> wanted = configured();
    const bool found =
        std::erase_if(wanted, [&](const VmConfig& vm) { return vm.name == name; }) != 0;
    change(wanted, WithLimits::kNo);
    return found;
}

std::vector<VmConfig> Server::configured() const {
    std::vector<VmConfig> configured;
    std::ranges::transform(vms_, std::back_inserter(configured),
                           [](auto& vm) { return vm->config(); });
    return configured;
}

// The caller has change_mutex_.
Server::Changes Server::change(const std::vector<VmConfig>& wanted, WithLimits with_limits) {
    Config checked = config_;
    checked.vms = wanted;
    check_config(checked, Reloadable::kYes);
    check_machines(checked, rnic_->attributes());
    Changes changes;
    Vms fresh;
    std::set<std::string> stay;
    for (const VmConfig& vm : wanted) {
        const Vm* const before = find(vm.name);
        if (before != nullptr && same_device(config_, before->config(), vm)) {
            stay.insert(vm.name);
            continue;
        }
        (before == nullptr ? changes.added : changes.renewed).push_back(vm.name);
        try {
            fresh.push_back(std::make_unique<Vm>(vm, equipment_for(vm), config_.memory, *rnic_,
                                                 loggers_, watcher_, limit_signal_));
        } catch (const std::exception& error) {
            throw ConfigError(vm.where + error.what());
        }
        if (before != nullptr && before->drained()) {
            fresh.back()->drain(true);
        }
    }

    // Nothing fails from here on.
    Vms ending;
    std::vector<Vm*> beginning;
    {
        const std::lock_guard lock(vms_mutex_);
        Vms list;
        for (const VmConfig& vm : wanted) {
            auto& source = stay.contains(vm.name) ? vms_ : fresh;
            auto& found = *std::ranges::find_if(
                source, [&](auto& other) { return other != nullptr && other->name() == vm.name; });
            if (&source == &fresh) {
                beginning.push_back(found.get());
            }
            list.push_back(std::move(found));
        }
        vms_.swap(list);
        ending = std::move(list);
        std::erase(ending, nullptr);
    }
    for (const auto& vm : ending) {
        vm->stop();
    }
    for (auto& vm : ending) {
        const std::string name = vm->name();
        vm.reset();
        rnic_->dismiss(name);
        if (find(name) == nullptr) {
            changes.removed.push_back(name);
            watcher_(event_kind::kRemoved, name, nlohmann::json::object());
        }
    }
    for (Vm* const vm : beginning) {
        rnic_->admit(vm->name(), admission_of(config_, vm->config()));
        if (std::ranges::find(changes.added, vm->name()) != changes.added.end()) {
            watcher_(event_kind::kAdded, vm->name(), nlohmann::json::object());
        }
        vm->start();
        const LogScope scope({.guest = vm->name()});
        logger_->info("{}: waiting for the VMM on {}", vm->name(), vm->socket());
    }
    if (with_limits == WithLimits::kYes) {
        for (const VmConfig& vm : wanted) {
            find(vm.name)->change_limits([&](device::Limits& limits) { limits = vm.limits; });
        }
    }
    return changes;
}

bool Server::change_limits(const std::string& name,
                           const std::function<void(device::Limits&)>& change) {
    const std::shared_lock lock(vms_mutex_);
    Vm* const vm = find(name);
    if (vm != nullptr) {
        vm->change_limits(change);
    }
    return vm != nullptr;
}

bool Server::drain(const std::string& name, bool yes) {
    const std::shared_lock lock(vms_mutex_);
    Vm* const vm = find(name);
    if (vm != nullptr) {
        vm->drain(yes);
        watcher_(event_kind::kDrained, name, {{"off", !yes}});
    }
    return vm != nullptr;
}

std::vector<std::string> Server::guest_names() const {
    const std::shared_lock lock(vms_mutex_);
    std::vector<std::string> names;
    std::ranges::transform(vms_, std::back_inserter(names), [](auto& vm) { return vm->name(); });
    return names;
}

// The caller has vms_mutex_ or change_mutex_.
Server::Vm* Server::find(const std::string& name) const {
    const auto found = std::ranges::find(vms_, name, [](auto& vm) { return vm->name(); });
    return found == vms_.end() ? nullptr : found->get();
}

nlohmann::json Server::document(Vm& vm) const {
    nlohmann::json guest = guest_document(vm.name(), vm.socket(), vm.device().status());
    guest["drained"] = vm.drained();
    return guest;
}

nlohmann::json Server::guests() const {
    const std::shared_lock lock(vms_mutex_);
    nlohmann::json guests = nlohmann::json::array();
    for (const auto& vm : vms_) {
        guests.push_back(document(*vm));
    }
    return guests;
}

nlohmann::json Server::rnic() const {
    return {{"name", rnic_->name()}, {"objects", rnic_objects_document(*rnic_)}};
}

std::optional<nlohmann::json> Server::guest(const std::string& name) const {
    const std::shared_lock lock(vms_mutex_);
    Vm* vm = find(name);
    if (vm == nullptr) {
        return std::nullopt;
    }
    nlohmann::json guest = document(*vm);
    guest["configuration"] = configuration_document(vm->config());
    return guest;
}

std::optional<nlohmann::json> Server::objects(const std::string& name) const {
    const std::shared_lock lock(vms_mutex_);
    Vm* const vm = find(name);
    if (vm == nullptr) {
        return std::nullopt;
    }
    const auto kinds = vm->device().objects();
    return kinds ? objects_document(*kinds) : nlohmann::json(nullptr);
}

std::vector<Server::GuestLimits> Server::limits() const {
    const std::shared_lock lock(vms_mutex_);
    std::vector<GuestLimits> all;
    for (const auto& vm : vms_) {
        all.push_back({vm->name(), vm->device().has_vmm(), vm->device().limit_states()});
    }
    return all;
}

std::string Server::status() const {
    nlohmann::json vms = guests();
    std::ranges::for_each(vms, add_old_names);
    const nlohmann::json document{{"version", version()},
                                  {"rnic", rnic_->name()},
                                  {"rnic_objects", rnic_objects_document(*rnic_)},
                                  {"vms", vms}};
    // Names and paths are the operator's and may have bytes that are no UTF-8.
    constexpr auto kInvalid = nlohmann::json::error_handler_t::replace;
    return document.dump(2, ' ', false, kInvalid) + "\n";
}

}  // namespace vrdma::daemon
