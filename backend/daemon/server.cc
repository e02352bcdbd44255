// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "daemon/capabilities.h"
#include "daemon/guest_document.h"
#include "daemon/seccomp_filter.h"
#include "daemon/socket_owner.h"

namespace vrdma::daemon {

Server::Vm::Vm(const VmConfig& config, const vhost::SocketAccess& access,
               const vhost::MemoryRules& memory, rnic::Rnic& rnic, const Loggers& loggers,
               std::shared_ptr<vhost::Receiver> receiver, const Watcher& watcher,
               std::shared_ptr<LimitSignal> limit_signal)
    : config_(config),
      device_({.guest = config.name,
               .mac = config.mac,
               .limits = config.limits,
               .limit_signal = std::move(limit_signal),
               .notify = [name = config.name,
                          watcher](device::Notice notice) { watcher(name, notice); }},
              rnic, loggers.device),
      // The vhost library does not know which guest it serves: the logger's name says it.
      listener_(config.socket.string(), access, device_, loggers.vhost->clone(config.name),
                std::make_shared<vhost::RegionMapper>(memory, device_.memory_budgets()),
                std::move(receiver)) {}

Server::Vm::~Vm() {
    listener_.stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Server::Vm::start() {
    thread_ = std::thread([this] { listener_.run(); });
}

Server::Receivers Server::start_receivers(const Config& config) {
    Receivers receivers;
    for (size_t i = 0; i < config.vms.size(); ++i) {
        receivers.push_back(std::make_shared<vhost::Receiver>(vhost::Receiver::Options{
            .file_systems = config.memory.file_systems, .confine = [&] {
                keep_no_capability();
                install_seccomp_filter(config.seccomp, SeccompSet::kEmbedded);
            }}));
    }
    return receivers;
}

Server::Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic, const Loggers& loggers,
               const Receivers& receivers, const Watcher& watcher)
    : rnic_(std::move(rnic)), logger_(loggers.daemon) {
    for (size_t i = 0; i < config.vms.size(); ++i) {
        const VmConfig& vm = config.vms[i];
        vms_.push_back(std::make_unique<Vm>(vm, socket_access(config, vm), config.memory, *rnic_,
                                            loggers, i < receivers.size() ? receivers[i] : nullptr,
                                            watcher, limit_signal_));
    }
    if (!config.status_socket.empty()) {
        status_ = std::make_unique<StatusSocket>(
            config.status_socket, [this] { return status(); }, logger_);
    }
}

void Server::start() {
    for (const auto& vm : vms_) {
        vm->start();
        logger_->info("{}: waiting for the VMM on {}", vm->name(), vm->socket());
    }
}

Server::~Server() {
    status_.reset();
    // All are told at once, so that they end side by side.
    for (const auto& vm : vms_) {
        vm->stop();
    }
}

void Server::set_limits(const Config& config) {
    const std::lock_guard lock(limits_mutex_);
    for (const auto& vm : vms_) {
        const auto found = std::ranges::find(config.vms, vm->name(), &VmConfig::name);
        if (found != config.vms.end()) {
            vm->device().set_limits(found->limits);
        }
    }
}

bool Server::change_limits(const std::string& name,
                           const std::function<void(device::Limits&)>& change) {
    Vm* vm = find(name);
    if (vm == nullptr) {
        return false;
    }
    const std::lock_guard lock(limits_mutex_);
    device::Limits limits = vm->device().limits();
    change(limits);
    vm->device().set_limits(limits);
    return true;
}

std::vector<std::string> Server::guest_names() const {
    std::vector<std::string> names;
    std::ranges::transform(vms_, std::back_inserter(names), [](auto& vm) { return vm->name(); });
    return names;
}

Server::Vm* Server::find(const std::string& name) const {
    const auto found = std::ranges::find(vms_, name, [](auto& vm) { return vm->name(); });
    return found == vms_.end() ? nullptr : found->get();
}

nlohmann::json Server::guests() const {
    nlohmann::json guests = nlohmann::json::array();
    for (const auto& vm : vms_) {
        guests.push_back(guest_document(vm->name(), vm->socket(), vm->device().status()));
    }
    return guests;
}

nlohmann::json Server::rnic() const {
    return {{"name", rnic_->name()}, {"objects", rnic_objects_document(*rnic_)}};
}

std::optional<nlohmann::json> Server::guest(const std::string& name) const {
    Vm* vm = find(name);
    if (vm == nullptr) {
        return std::nullopt;
    }
    nlohmann::json guest = guest_document(vm->name(), vm->socket(), vm->device().status());
    guest["configuration"] = configuration_document(vm->config());
    return guest;
}

std::vector<Server::GuestLimits> Server::limits() const {
    std::vector<GuestLimits> all;
    for (const auto& vm : vms_) {
        all.push_back({vm->name(), vm->device().has_vmm(), vm->device().limit_states()});
    }
    return all;
}

std::string Server::status() const {
    nlohmann::json vms = guests();
    std::ranges::for_each(vms, add_old_names);
    const nlohmann::json document{{"version", VRDMA_VERSION},
                                  {"rnic", rnic_->name()},
                                  {"rnic_objects", rnic_objects_document(*rnic_)},
                                  {"vms", vms}};
    // Names and paths are the operator's and may have bytes that are no UTF-8.
    constexpr auto kInvalid = nlohmann::json::error_handler_t::replace;
    return document.dump(2, ' ', false, kInvalid) + "\n";
}

}  // namespace vrdma::daemon
