// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/capabilities.h"
#include "daemon/seccomp_filter.h"
#include "daemon/socket_owner.h"

namespace vrdma::daemon {
namespace {

// The counts by the configuration's keys.  A count whose key has an old name has both.
nlohmann::json to_json(const device::ObjectCounts& counts) {
    nlohmann::json objects{{"registered_bytes", counts.registered_bytes}};
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        objects[kind.key] = counts.*kind.count;
        if (kind.old_key != nullptr) {
            objects[kind.old_key] = counts.*kind.count;
        }
    }
    return objects;
}

// Each limit by the configuration's key.
nlohmann::json to_json(const std::vector<device::VirtualDevice::LimitStatus>& limits) {
    nlohmann::json all = nlohmann::json::object();
    for (const auto& limit : limits) {
        nlohmann::json& one = all[limit.key] = {{"limit", limit.limit}};
        if (limit.used) {
            one["used"] = *limit.used;
        }
        if (limit.reached) {
            one["reached"] = *limit.reached;
        }
    }
    return all;
}

nlohmann::json to_json(const rnic::Counters& counters) {
    return {
#define VRDMA_ROW(NAME, name) {#name, counters[VRDMA_COUNTER_##NAME]},
        VRDMA_COUNTERS(VRDMA_ROW)
#undef VRDMA_ROW
    };
}

}  // namespace

Server::Vm::Vm(const VmConfig& config, const vhost::SocketAccess& access,
               const vhost::MemoryRules& memory, rnic::Rnic& rnic,
               const std::shared_ptr<spdlog::logger>& logger,
               std::shared_ptr<vhost::Receiver> receiver)
    : name_(config.name),
      device_({.guest = config.name, .mac = config.mac, .limits = config.limits}, rnic, logger),
      // The vhost library does not know which guest it serves: the logger's name says it.
      listener_(config.socket.string(), access, device_, logger->clone(config.name),
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

Server::Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic,
               const std::shared_ptr<spdlog::logger>& logger, const Receivers& receivers)
    : rnic_(std::move(rnic)), logger_(logger) {
    for (size_t i = 0; i < config.vms.size(); ++i) {
        const VmConfig& vm = config.vms[i];
        vms_.push_back(std::make_unique<Vm>(vm, socket_access(config, vm), config.memory, *rnic_,
                                            logger, i < receivers.size() ? receivers[i] : nullptr));
    }
    if (!config.status_socket.empty()) {
        status_ = std::make_unique<StatusSocket>(
            config.status_socket, [this] { return status(); }, logger);
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
    for (const auto& vm : vms_) {
        const auto found = std::ranges::find(config.vms, vm->name(), &VmConfig::name);
        if (found != config.vms.end()) {
            vm->set_limits(found->limits);
        }
    }
}

std::string Server::status() const {
    nlohmann::json vms = nlohmann::json::array();
    for (const auto& vm : vms_) {
        const auto status = vm->status();
        const nlohmann::json shared_memory{{"size", status.shm_size}, {"used", status.shm_used}};
        vms.push_back({
            {"name", vm->name()},
            {"socket", vm->socket()},
            {"connected", status.connected},
            {"commands", status.commands},
            {"shared_memory", shared_memory},
            {"window", shared_memory},  // the old name
            {"memory",
             {{"page_size", status.memory_page_size},
              {"limit", status.memory_limit == nullptr ? nlohmann::json(nullptr)
                                                       : nlohmann::json(status.memory_limit)}}},
            {"objects", to_json(status.objects)},
            {"limits", to_json(status.limits)},
        });
        if (status.counters) {
            vms.back()["counters"] = to_json(*status.counters);
        }
    }
    nlohmann::json rnic_objects = nlohmann::json::object();
    for (const auto& [kind, count] : rnic_->live_objects()) {
        rnic_objects[std::string(kind)] = count;
    }
    const nlohmann::json document{{"version", VRDMA_VERSION},
                                  {"rnic", rnic_->name()},
                                  {"rnic_objects", rnic_objects},
                                  {"vms", vms}};
    // Names and paths are the operator's and may have bytes that are no UTF-8.
    constexpr auto kInvalid = nlohmann::json::error_handler_t::replace;
    return document.dump(2, ' ', false, kInvalid) + "\n";
}

}  // namespace vrdma::daemon
