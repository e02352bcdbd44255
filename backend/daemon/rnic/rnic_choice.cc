// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/rnic/rnic_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "daemon/confinement/seccomp_filter.h"
#include "daemon/rnic/locked_memory.h"
#include "rnic/embedded/embedded_rnic.h"
#include "rnic/uverbs/kernel/host_rnic.h"
#include "rnic/uverbs/uverbs_rnic.h"

namespace vrdma::daemon {
namespace {

constexpr const char* kEmbedded = "embedded";

uverbs::GuestRules guest_rules(const Config& config, const VmConfig& vm) {
    uverbs::GuestRules rules = vm.addresses;
    if (!is_embedded(config) && config.announce && vm.mac != rnic::MacAddress{}) {
        rules.announced = uverbs::eui64_gid(*config.announce, vm.mac);
    }
    return rules;
}

uverbs::AddressRules address_rules(const Config& config) {
    uverbs::AddressRules rules{.gid_index = config.gid_index, .peers = config.peers, .guests = {}};
    for (const VmConfig& vm : config.vms) {
        rules.guests[vm.name] = guest_rules(config, vm);
    }
    return rules;
}

// Refuses rules that would only seem to separate guests.
void check_no_address_rules(const Config& config, const std::string& why) {
    for (const VmConfig& vm : config.vms) {
        if (!vm.addresses.network.empty() || !vm.addresses.gids.empty()) {
            throw ConfigError(fmt::format(
                "{}the virtual machine '{}' has a network or gids, and {}; leave them out",
                vm.where, vm.name, why));
        }
    }
}

void check_no_partition_keys(const Config& config) {
    for (const VmConfig& vm : config.vms) {
        if (!vm.addresses.pkeys.empty()) {
            throw ConfigError(fmt::format(
                "{}the virtual machine '{}' has pkeys, which are for ports on InfiniBand, and '{}' "
                "has none; leave them out",
                vm.where, vm.name, config.rnic));
        }
    }
}

std::unique_ptr<rnic::Rnic> open_embedded(const Config& config,
                                          std::shared_ptr<spdlog::logger> logger) {
    if (!config.peers.empty()) {
        logger->warn(
            "[[peer]] entries are for RNICs of this host: the embedded one has no network");
    }
    embedded::EmbeddedConfig embedded;
    embedded.name = config.rnic;
    embedded.threads = config.threads;
    embedded.spin = std::chrono::microseconds(config.spin_us);
    for (const VmConfig& vm : config.vms) {
        embedded.guests[vm.name] = admission_of(config, vm);
    }
    return embedded::make_embedded_rnic(embedded, std::move(logger));
}

std::unique_ptr<rnic::Rnic> open_host_rnic(const Config& config,
                                           const std::shared_ptr<spdlog::logger>& logger,
                                           FilesThatTravel travel) {
    uverbs::UverbsConfig host;
    host.port = config.port;
    host.spin = std::chrono::microseconds(config.spin_us);
    host.addresses = address_rules(config);
    host.announces = config.announce.has_value();
    host.accepted_obstacle = config.accept_obstacle;
    host.files_travel = travel.uverbs;
    host.cm_writer = std::move(travel.cm_writer);
    auto rnic = uverbs::make_uverbs_rnic(host, uverbs::find_host_rnic(config.rnic), logger);
    if (const auto limit = raise_locked_memory_limit()) {
        logger->warn(
            "guests can register {} bytes altogether, the limit RLIMIT_MEMLOCK; give vrdmad "
            "CAP_IPC_LOCK, or a higher limit (LimitMEMLOCK= in a systemd unit)",
            *limit);
    }
    return rnic;
}

}  // namespace

rnic::GuestAdmission admission_of(const Config& config, const VmConfig& vm) {
    return uverbs::admission_of(guest_rules(config, vm));
}

bool is_embedded(const Config& config) {
    return config.rnic == kEmbedded;
}

void check_limits(const Config& config) {
    if (is_embedded(config)) {
        return;
    }
    for (const VmConfig& vm : config.vms) {
        if (device::traffic_limits(vm.limits) != rnic::TrafficLimits{}) {
            throw ConfigError(fmt::format(
                "{}the limits of the virtual machine '{}' have messages_per_second, "
                "bytes_per_second, burst_ms or weight, and an RNIC of this host executes the "
                "guest's work by itself; leave them out",
                vm.where, vm.name));
        }
    }
}

void check_machines(const Config& config, const rnic::DeviceAttributes& attributes) {
    check_limits(config);
    if (attributes.iwarp && !attributes.iw_cm) {
        check_no_address_rules(
            config,
            fmt::format("guests of '{}', an iWARP RNIC, cannot make connections", config.rnic));
    }
    if (attributes.infiniband) {
        check_no_address_rules(
            config, fmt::format("the port of '{}' is on InfiniBand, where 'pkeys' separate guests",
                                config.rnic));
    } else {
        check_no_partition_keys(config);
    }
}

std::shared_ptr<const uverbs::CmWriter> start_cm_writer(const Config& config) {
    return std::make_shared<uverbs::CmWriter>(uverbs::CmWriter::Options{
        .confine = [&] { install_seccomp_filter(config.seccomp, SeccompSet::kCmWriter); }});
}

std::unique_ptr<rnic::Rnic> open_rnic(const Config& config, std::shared_ptr<spdlog::logger> logger,
                                      FilesThatTravel travel) {
    check_limits(config);
    if (is_embedded(config)) {
        auto rnic = open_embedded(config, std::move(logger));
        check_machines(config, rnic->attributes());
        return rnic;
    }
    const auto names = uverbs::host_rnic_names();
    if (std::ranges::find(names, config.rnic) == names.end()) {
        throw ConfigError(fmt::format(
            "unknown RNIC '{}'; there is '{}', and of this host (/sys/class/infiniband): {}",
            config.rnic, kEmbedded,
            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    auto rnic = open_host_rnic(config, logger, std::move(travel));
    check_machines(config, rnic->attributes());
    return rnic;
}

}  // namespace vrdma::daemon
