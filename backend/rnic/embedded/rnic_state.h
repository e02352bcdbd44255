// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/quota.h"

namespace vrdma::embedded {

// The state that all ports of one RNIC share. Each port keeps it alive.
struct RnicState {
    RnicState(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> log)
        : limits(config.limits), guests(config.guests), logger(std::move(log)), engine(config) {
        for (const auto& [name, addresses] : guests) {
            networks.try_emplace(addresses.network, static_cast<uint32_t>(networks.size()));
        }
    }

    // A guest without an entry may use any address, in the network without a name.
    const GuestAddresses& addresses_of(const std::string& guest) const {
        static const GuestAddresses kAny;
        const auto found = guests.find(guest);
        return found == guests.end() ? kAny : found->second;
    }
    uint32_t network_of(const std::string& guest) const {
        return networks.at(addresses_of(guest).network);
    }

    const EmbeddedLimits limits;
    const std::map<std::string, GuestAddresses> guests;
    std::map<std::string, uint32_t> networks{{"", 0}};  // numbered
    const std::shared_ptr<spdlog::logger> logger;
    Usage usage;
    PauseShares pause_shares;
    Engine engine;
};

}  // namespace vrdma::embedded
