// SPDX-License-Identifier: Apache-2.0
#include "daemon/server.h"

#include <nlohmann/json.hpp>

namespace vrdma::daemon {

Server::Server(const Config& config, std::unique_ptr<rnic::Rnic> rnic,
               std::shared_ptr<spdlog::logger> logger)
    : rnic_(std::move(rnic)) {
    for (const VmConfig& vm : config.vms) {
        auto device = std::make_unique<device::VirtualDevice>(
            device::VirtualDevice::Options{.guest = vm.name, .mac = vm.mac, .limits = vm.limits},
            *rnic_, logger);
        auto listener = std::make_unique<vhost::Listener>(vm.socket.string(), config.socket_mode,
                                                          *device, logger);
        vms_.push_back(Vm{vm.name, std::move(device), std::move(listener), {}});
    }
    if (!config.status_socket.empty()) {
        status_ = std::make_unique<StatusSocket>(
            config.status_socket, [this] { return status(); }, logger);
    }
    // Threads last: nothing above can throw any more once one runs.
    for (Vm& vm : vms_) {
        vm.thread = std::thread([listener = vm.listener.get()] { listener->run(); });
        logger->info("{}: waiting for the VMM on {}", vm.name, vm.listener->path());
    }
}

Server::~Server() {
    status_.reset();
    for (Vm& vm : vms_) {
        vm.listener->stop();
    }
    for (Vm& vm : vms_) {
        if (vm.thread.joinable()) {
            vm.thread.join();
        }
    }
}

std::string Server::status() const {
    nlohmann::json vms = nlohmann::json::array();
    for (const Vm& vm : vms_) {
        const auto status = vm.device->status();
        vms.push_back({
            {"name", vm.name},
            {"socket", vm.listener->path()},
            {"connected", status.connected},
            {"commands", status.commands},
            {"window", {{"size", status.window_size}, {"used", status.window_used}}},
            {"objects",
             {{"contexts", status.objects.contexts},
              {"protection_domains", status.objects.protection_domains},
              {"memory_regions", status.objects.memory_regions},
              {"completion_queues", status.objects.completion_queues},
              {"shared_receive_queues", status.objects.shared_receive_queues},
              {"queue_pairs", status.objects.queue_pairs},
              {"address_handles", status.objects.address_handles},
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
    return document.dump(2) + "\n";
}

}  // namespace vrdma::daemon
