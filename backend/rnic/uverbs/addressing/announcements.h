// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "rnic/uverbs/addressing/address_rules.h"
#include "rnic/uverbs/addressing/host_gid_table.h"
#include "rnic/uverbs/kernel/netdev_ipv6.h"

namespace vrdma::uverbs {

// The address that each machine has for itself on the RNIC's netdev, so that its packets, ports and
// names are not mixed with those of others.  docs/architecture/addressing.md says when the netdev
// has it.  Any thread.
class Announcements {
  public:
    using Clock = std::function<std::chrono::steady_clock::time_point()>;

    // The kernel asks the link for at most two seconds, unless the host is configured otherwise: a
    // delay of up to one (RFC 4862, 5.4.2), and one for an answer.
    static constexpr std::chrono::milliseconds kPatience{3000};

    // Without `netdev` no address is announced.
    Announcements(std::shared_ptr<HostGidTable> host, std::unique_ptr<NetdevIpv6> netdev,
                  std::shared_ptr<spdlog::logger> logger,
                  Clock clock = std::chrono::steady_clock::now);
    ~Announcements();
    Announcements(const Announcements&) = delete;
    Announcements& operator=(const Announcements&) = delete;

    // The machine has this address of its own, until remove(), unless another machine has it
    // already.
    void add(const std::string& guest, const rnic::Gid& gid);

    // The machine is not there any more, and its address is taken away.
    void remove(const std::string& guest);

    // Gives the machine's address to the netdev, if that has not happened, and waits until the
    // kernel knows whether the address is free.  No path may be looked up before: both ends of a
    // connection must come to the same result.
    void settle(const std::string& guest);

    // Takes the address away, when the machine leaves.  settle() announces it again.
    void withdraw(const std::string& guest);

    // The netdev keeps the machine's address, whatever becomes of this object: another process has
    // the machine as well.
    void let_go(const std::string& guest);

    // The machine's address.  No value unless the netdev has it.
    std::optional<rnic::Gid> of(const std::string& guest) const;

    // The machine whose address this is, whether the netdev has it or not.
    std::optional<std::string> machine_of(const rnic::Gid& gid) const;

  private:
    struct Machine {
        rnic::Gid gid{};
        std::mutex settling;  // guards the four members that follow
        bool gone = false;    // see Announcements::remove()
        bool added = false;   // by the daemon
        bool given_up = false;
        std::chrono::steady_clock::time_point next_try{};
        std::atomic<bool> ready{false};
    };
    void try_to_settle(const std::string& guest, Machine& machine);
    void take_away(Machine& machine);
    std::shared_ptr<Machine> find(const std::string& guest) const;

    const std::shared_ptr<HostGidTable> host_;
    const std::unique_ptr<NetdevIpv6> netdev_;
    const std::shared_ptr<spdlog::logger> logger_;
    const Clock clock_;
    mutable std::mutex mutex_;  // guards the maps, not the machines; taken last
    // By name.
    std::map<std::string, std::shared_ptr<Machine>> machines_;
    std::map<rnic::Gid, std::string> names_;  // of machines_
};

}  // namespace vrdma::uverbs
