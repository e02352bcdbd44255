// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/announcements.h"

#include "log_fields.h"

namespace vrdma::uverbs {
namespace {

using namespace std::chrono_literals;

// After a failure the next attempt comes this much later: a guest may ask as often as it likes.
constexpr auto kPause = 10s;

// How long the RDMA core takes to put an address into the GID table, which is a matter of its work
// queue.
constexpr auto kTablePatience = 1s;

}  // namespace

Announcements::Announcements(std::shared_ptr<HostGidTable> host, std::unique_ptr<NetdevIpv6> netdev,
                             std::shared_ptr<spdlog::logger> logger, Clock clock)
    : host_(std::move(host)),
      netdev_(std::move(netdev)),
      logger_(std::move(logger)),
      clock_(std::move(clock)) {}

Announcements::~Announcements() {
    for (auto& [guest, machine] : machines_) {
        take_away(*machine);
    }
}

void Announcements::add(const std::string& guest, const rnic::Gid& gid) {
    const std::lock_guard lock(mutex_);
    if (netdev_ == nullptr || names_.contains(gid)) {
        return;
    }
    const auto machine = std::make_shared<Machine>();
    machine->gid = gid;
    machines_[guest] = machine;
    names_[gid] = guest;
}

void Announcements::remove(const std::string& guest) {
    const auto machine = find(guest);
    if (machine == nullptr) {
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        names_.erase(machine->gid);
        machines_.erase(guest);
    }
    // A peer's verb may be settling the address right now.
    const std::lock_guard lock(machine->settling);
    machine->gone = true;
    take_away(*machine);
}

std::shared_ptr<Announcements::Machine> Announcements::find(const std::string& guest) const {
    const std::lock_guard lock(mutex_);
    const auto found = machines_.find(guest);
    return found == machines_.end() ? nullptr : found->second;
}

void Announcements::settle(const std::string& guest) {
    const auto found = find(guest);
    if (found == nullptr) {
        return;
    }
    Machine& machine = *found;
    if (machine.ready && host_->gids()->find(machine.gid) != nullptr) {
        return;
    }
    const std::lock_guard lock(machine.settling);
    if (machine.ready && host_->gids()->find(machine.gid) != nullptr) {
        return;  // another thread has done it meanwhile
    }
    machine.ready = false;
    if (machine.gone || machine.given_up || clock_() < machine.next_try) {
        return;
    }
    try_to_settle(guest, machine);
    if (!machine.ready) {
        machine.next_try = clock_() + kPause;
    }
}

void Announcements::try_to_settle(const std::string& guest, Machine& machine) {
    const LogScope scope({.guest = guest});
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
            take_away(machine);
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

void Announcements::take_away(Machine& machine) {
    machine.ready = false;
    if (std::exchange(machine.added, false)) {
        netdev_->remove(machine.gid);
    }
}

void Announcements::withdraw(const std::string& guest) {
    if (const auto machine = find(guest)) {
        const std::lock_guard lock(machine->settling);
        take_away(*machine);
        machine->given_up = false;
        machine->next_try = {};
    }
}

void Announcements::let_go(const std::string& guest) {
    if (const auto machine = find(guest)) {
        const std::lock_guard lock(machine->settling);
        machine->added = false;
    }
}

std::optional<rnic::Gid> Announcements::of(const std::string& guest) const {
    const auto machine = find(guest);
    return machine != nullptr && machine->ready ? std::optional(machine->gid) : std::nullopt;
}

std::optional<std::string> Announcements::machine_of(const rnic::Gid& gid) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(gid);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace vrdma::uverbs
