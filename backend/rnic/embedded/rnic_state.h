// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "rnic/embedded/embedded_rnic.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/quota.h"

namespace vrdma::embedded {

// What holds for the guests' addresses.  Any thread.
class Guests {
  public:
    void admit(const std::string& guest, const rnic::GuestAdmission& admission) {
        const std::lock_guard lock(mutex_);
        admissions_[guest] = admission;
        networks_.try_emplace(admission.network, static_cast<uint32_t>(networks_.size()));
    }
    void dismiss(const std::string& guest) {
        const std::lock_guard lock(mutex_);
        admissions_.erase(guest);
    }

    // A guest that was not admitted may use any address, in the network without a name.
    rnic::GuestAdmission admission_of(const std::string& guest) const {
        const std::lock_guard lock(mutex_);
        return find(guest);
    }
    uint32_t network_of(const std::string& guest) const {
        const std::lock_guard lock(mutex_);
        return networks_.at(find(guest).network);
    }

  private:
    rnic::GuestAdmission find(const std::string& guest) const {
        const auto found = admissions_.find(guest);
        return found == admissions_.end() ? rnic::GuestAdmission{} : found->second;
    }

    mutable std::mutex mutex_;  // guards what follows
    std::map<std::string, rnic::GuestAdmission> admissions_;
    // Numbered.  A number stays its network's when the last guest of the network is dismissed.
    std::map<std::string, uint32_t> networks_{{"", 0}};
};

// The state that all ports of one RNIC share. Each port keeps it alive.
struct RnicState {
    RnicState(const EmbeddedConfig& config, std::shared_ptr<spdlog::logger> log)
        : limits(config.limits), logger(std::move(log)), engine(config) {
        for (const auto& [guest, admission] : config.guests) {
            guests.admit(guest, admission);
        }
    }

    const EmbeddedLimits limits;
    Guests guests;
    const std::shared_ptr<spdlog::logger> logger;
    Usage usage;
    PauseShares pause_shares;
    Engine engine;
};

}  // namespace vrdma::embedded
