// SPDX-License-Identifier: Apache-2.0
#include "daemon/server.h"

#include <nlohmann/json.hpp>

namespace vrdma::daemon {

Server::Vm::Vm(const VmConfig& config, uint32_t socket_mode, rnic::Rnic& rnic,
               const std::shared_ptr<spdlog::logger>& logger)
    : name_(config.name),
      device_({.guest = config.name, .mac = config.mac, .limits = config.limits}, rnic, logger),
      // The vhost library does not know whom it serves: the logger says it.
      listener_(config.socket.string(), socket_mode, device_, logger->clone(config.name)) {}

Server::Vm::~Vm() {
    listener_.stop();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Server::Vm::start() {
    thread_ = std::thread([this] { listener_.run(); });
}

Server::Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic,
               const std::shared_ptr<spdlog::logger>& logger)
    : rnic_(std::move(rnic)) {
    for (const VmConfig& vm : config.vms) {
        vms_.push_back(std::make_unique<Vm>(vm, config.socket_mode, *rnic_, logger));
    }
    if (!config.status_socket.empty()) {
        status_ = std::make_unique<StatusSocket>(
            config.status_socket, [this] { return status(); }, logger);
    }
    for (const auto& vm : vms_) {
        vm->start();
        logger->info("{}: waiting for the VMM on {}", vm->name(), vm->socket());
    }
}

Server::~Server() {
    status_.reset();
    // All at once, so that they end side by side.
    for (const auto& vm : vms_) {
        vm->stop();
    }
}

std::string Server::status() const {
    nlohmann::json vms = nlohmann::json::array();
    for (const auto& vm : vms_) {
        const auto status = vm->status();
        vms.push_back({
            {"name", vm->name()},
            {"socket", vm->socket()},
            {"connected", status.connected},
            {"commands", status.commands},
            {"window", {{"size", status.shm_size}, {"used", status.shm_used}}},
            {"objects",
             {{"contexts", status.objects.contexts},
              {"protection_domains", status.objects.protection_domains},
              {"memory_regions", status.objects.memory_regions},
              {"memory_windows", status.objects.memory_windows},
              {"completion_queues", status.objects.completion_queues},
              {"shared_receive_queues", status.objects.shared_receive_queues},
              {"queue_pairs", status.objects.queue_pairs},
              {"address_handles", status.objects.address_handles},
              {"multicast_attachments", status.objects.multicast_attachments},
              {"connection_files", status.objects.ucma_files},
              {"mappings", status.objects.mappings},
              {"registered_bytes", status.objects.registered_bytes}}},
        });
    }
    nlohmann::json rnic_objects = nlohmann::json::object();
    for (const auto& [kind, count] : rnic_->live_objects()) {
        rnic_objects[std::string(kind)] = count;
    }
    const nlohmann::json document{{"version", VRDMA_VERSION},
                                  {"rnic", rnic_->name()},
                                  {"rnic_objects", rnic_objects},
                                  {"vms", vms}};
    // A name or a path is any bytes that the operator chose.
    constexpr auto kInvalid = nlohmann::json::error_handler_t::replace;
    return document.dump(2, ' ', false, kInvalid) + "\n";
}

}  // namespace vrdma::daemon
