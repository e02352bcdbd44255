// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/announcements.h"

namespace vrdma::uverbs {
namespace {

using namespace std::chrono_literals;

// After a failure the next attempt comes this much later: a guest may ask as often as it likes.
constexpr auto kPause = 10s;

// How long the RDMA core takes to put an address into the GID table, which is a matter of its work
// queue.
constexpr auto kTablePatience = 1s;

}  // namespace

Announcements::Announcements(const AddressRules& rules, std::shared_ptr<HostGidTable> host,
                             std::unique_ptr<NetdevIpv6> netdev,
                             std::shared_ptr<spdlog::logger> logger, Clock clock)
    : host_(std::move(host)),
      netdev_(std::move(netdev)),
      logger_(std::move(logger)),
      clock_(std::move(clock)) {
    for (const auto& [guest, what] : rules.guests) {
        // Two machines with one MAC address have one address: the first one gets it.
        if (netdev_ != nullptr && what.announced && !names_.contains(*what.announced)) {
            const auto made = machines_.try_emplace(guest).first;
            made->second.gid = *what.announced;
            names_[*what.announced] = &made->first;
        }
    }
}

Announcements::~Announcements() {
    for (auto& [guest, machine] : machines_) {
        remove(machine);
    }
}

void Announcements::settle(const std::string& guest) {
    const auto found = machines_.find(guest);
    if (found == machines_.end()) {
        return;
    }
    Machine& machine = found->second;
    if (machine.ready && host_->gids()->find(machine.gid) != nullptr) {
        return;
    }
    const std::lock_guard lock(machine.settling);
    if (machine.ready && host_->gids()->find(machine.gid) != nullptr) {
        return;  // another thread has done it meanwhile
    }
    machine.ready = false;
    if (machine.given_up || clock_() < machine.next_try) {
        return;
    }
    try_to_settle(guest, machine);
    if (!machine.ready) {
        machine.next_try = clock_() + kPause;
    }
}

void Announcements::try_to_settle(const std::string& guest, Machine& machine) {
    const auto added = netdev_->add(machine.gid);
    if (!added) {
        machine.given_up = true;
        logger_->warn(
            "{}: its address {} cannot be added to the RNIC's netdev: {}; the guest shares the "
            "RNIC's default GID",
            guest, to_string(machine.gid), vrdma::to_string(added.error()));
        return;
    }
    machine.added = added->ours;
    switch (netdev_->settled(machine.gid, kPatience)) {
        case NetdevIpv6::State::kReady:
            machine.ready = host_->wait_for(machine.gid, kTablePatience);
            if (machine.ready) {
                logger_->info("{}: the RNIC has its address {}", guest, to_string(machine.gid));
            } else {
                logger_->warn("{}: the netdev has its address {}, and the RNIC no such GID yet",
                              guest, to_string(machine.gid));
            }
            return;
        case NetdevIpv6::State::kDuplicate:
            machine.given_up = true;
            remove(machine);
            logger_->warn(
                "{}: another node of the RNIC's link has its address {}, which may be the guest's "
                "own network device; the guest shares the RNIC's default GID; choose a prefix of "
                "which that link knows nothing ('announce' in [rnic])",
                guest, to_string(machine.gid));
            return;
        case NetdevIpv6::State::kTentative:
        case NetdevIpv6::State::kAbsent:
            logger_->warn("{}: its address {} is not usable yet; is the RNIC's netdev up?", guest,
                          to_string(machine.gid));
            return;
    }
}

void Announcements::remove(Machine& machine) {
    machine.ready = false;
    if (std::exchange(machine.added, false)) {
        netdev_->remove(machine.gid);
    }
}

void Announcements::withdraw(const std::string& guest) {
    if (const auto found = machines_.find(guest); found != machines_.end()) {
        const std::lock_guard lock(found->second.settling);
        remove(found->second);
        found->second.given_up = false;
        found->second.next_try = {};
    }
}

std::optional<rnic::Gid> Announcements::of(const std::string& guest) const {
    const auto found = machines_.find(guest);
    return found != machines_.end() && found->second.ready ? std::optional(found->second.gid)
                                                           : std::nullopt;
}

const std::string* Announcements::machine_of(const rnic::Gid& gid) const {
    const auto found = names_.find(gid);
    return found == names_.end() ? nullptr : found->second;
}

}  // namespace vrdma::uverbs
