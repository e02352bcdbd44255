// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "result.h"
#include "rnic/uverbs/addressing/address_rules.h"
#include "rnic/uverbs/addressing/announcements.h"
#include "rnic/uverbs/addressing/connection_names.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/addressing/host_gid_table.h"

namespace vrdma::uverbs {

// The two ends of a path as the host RNIC has to name them.
struct UnderlayPath {
    uint8_t sgid_index = 0;
    rnic::Gid sgid{};  // the GID at sgid_index, which the peer sees
    rnic::Gid dgid{};
    bool bare_metal = false;  // the peer is no guest: it sends to the addresses that it sees
    bool shared = false;      // others send from sgid too, and share its ports
};

// Why there is no path.
struct AddressError {
    Errno error{};
    std::string reason;  // for a log line; names what to configure
};

// Maps guests' GIDs to underlay GIDs, for all guests that share one port of a host RNIC.  The rules
// are in docs/architecture/addressing.md.  Any thread.
class OverlayMap {
  public:
    using Clock = std::function<std::chrono::steady_clock::time_point()>;

    // `netdev` is the RNIC's, to which machines' own addresses are added; null when none are.
    // Throws std::invalid_argument when rules.gid_index names no RoCE v2 GID.
    OverlayMap(AddressRules rules, std::shared_ptr<HostGidTable> host,
               std::unique_ptr<NetdevIpv6> netdev, std::shared_ptr<spdlog::logger> logger,
               Clock clock = std::chrono::steady_clock::now);
    // As above, without announced addresses.
    OverlayMap(AddressRules rules, std::shared_ptr<HostGidTable> host,
               Clock clock = std::chrono::steady_clock::now);

    // As Rnic's functions of these names.
    void admit(const std::string& guest, const rnic::GuestAdmission& admission);
    void dismiss(const std::string& guest);

    // Whether the guest may use an address of its own choice.
    bool allows(const std::string& guest, const rnic::Gid& gid) const;

    // In the functions that follow, `vlan` is that of the guest's netdev with the GID `gid` or
    // `source`.  Each VLAN is a network of its own (network_of_vlan()).

    // `guest` has this GID from now on, until release().  The first guest of a network keeps the
    // GID; others get it when the first one releases it.  Returns the guest that keeps it.
    std::string claim(const std::string& guest, const rnic::Gid& gid,
                      uint16_t vlan = rnic::kNoVlan);
    void release(const std::string& guest, const rnic::Gid& gid, uint16_t vlan = rnic::kNoVlan);

    // The machine is here, until leave(): its own address is announced when it is first needed.
    void arrive(const std::string& guest);
    void leave(const std::string& guest);

    // Announces the machine's own address, if it may have one.  Waits as the functions below do.
    void be_reachable(const std::string& guest) { announcements_.settle(guest); }
    // Whether that has happened.
    bool is_announced(const std::string& guest) const {
        return announcements_.of(guest).has_value();
    }
    // The address stays, as Announcements::let_go() says.
    void let_go(const std::string& guest) { announcements_.let_go(guest); }

    // The path from a GID that `guest` claimed to `destination`.
    tl::expected<UnderlayPath, AddressError> path(const std::string& guest, const rnic::Gid& source,
                                                  const rnic::Gid& destination,
                                                  uint16_t vlan = rnic::kNoVlan);

    // The path from a GID that `guest` claimed to a multicast group, which keeps its name.
    tl::expected<UnderlayPath, AddressError> group_path(const std::string& guest,
                                                        const rnic::Gid& source,
                                                        const rnic::Gid& group,
                                                        uint16_t vlan = rnic::kNoVlan);

    // Counts a user of a multicast group in the guest's network.  EADDRINUSE while guests of
    // another network use it.
    Result<GroupLeases::Lease> use_group(const std::string& guest, const rnic::Gid& group);

    // The GIDs of the host RNIC at which others reach the guest.
    struct Entrance {
        rnic::Gid underlay{};
        bool shared = false;  // others have the GID too, and with it its ports

        bool operator==(const Entrance&) const = default;
    };
    // The entrances to an address that `guest` claimed.  The first one is the underlay GID of the
    // address, the others are for peers that cannot reach that one.  None when another guest
    // claimed the address first, or when the host RNIC has no GID at all.
    std::vector<Entrance> entrances(const std::string& guest, const rnic::Gid& gid,
                                    uint16_t vlan = rnic::kNoVlan);
    // The entrance to the guest itself, whatever addresses it has.
    std::optional<Entrance> entrance(const std::string& guest);

    // The inverse of path(): the name that `guest` has for the peer at this underlay GID, so that
    // the path from `source` to that name leads there again.  path()'s errors: the guest may not
    // talk to that peer.
    tl::expected<rnic::Gid, AddressError> name_of(const std::string& guest, const rnic::Gid& source,
                                                  const rnic::Gid& underlay,
                                                  uint16_t vlan = rnic::kNoVlan);

    // The netdev of a GID of the host RNIC.  Empty when the RNIC has no such GID.
    std::string netdev_of(const rnic::Gid& gid) const;

    ConnectionNames& connections() { return connections_; }

    uint32_t host_port() const { return host_->port(); }

  private:
    struct Claim {
        std::string network;
        std::string guest;
    };
    // A guest in one of its networks.
    struct Member {
        std::string guest;
        std::string network;
    };
    using Claims = std::vector<Claim>;  // the oldest first; a guest may have several

    std::string network_of(const std::string& guest) const;
    const Peer* find_peer(const std::string& network, const rnic::Gid& gid) const;
    bool has_peers_behind(const std::string& network, const rnic::Gid& underlay) const;
    const HostGid* default_gid(const HostGids& host) const;
    const HostGid* first(const HostGids& host, GidScope scope) const;
    const HostGid* own_gid(const HostGids& host, const std::string& guest) const;
    const HostGid* announced_gid(const HostGids& host, const Member& who,
                                 const rnic::Gid& gid) const;
    const HostGid* underlay_gid(const HostGids& host, const Member& who,
                                const rnic::Gid& gid) const;
    std::optional<std::string> owner_of(const rnic::Gid& gid, const std::string& network) const;
    void settle(const Member& who, const rnic::Gid& destination);
    Member member(const std::string& guest, uint16_t vlan) const;
    void look_again();
    const Claim* first_claim(const rnic::Gid& gid) const;
    const Claim* first_claim(const rnic::Gid& gid, const std::string& network) const;
    std::optional<AddressError> why_not_from(const Member& who, const rnic::Gid& source) const;
    bool may_reach_host(const HostGids& host, const Member& who, const rnic::Gid& gid) const;
    std::string missing_source(GidScope scope) const;
    std::optional<rnic::Gid> machine_name(const std::string& network, const rnic::Gid& source,
                                          const rnic::Gid& underlay);
    std::optional<rnic::Gid> peer_name(const std::string& network, const rnic::Gid& source,
                                       const rnic::Gid& underlay) const;
    bool is_shared(const HostGids& host, const Member& who, const rnic::Gid& gid,
                   const rnic::Gid& underlay) const;
    tl::expected<UnderlayPath, AddressError> look_up(const HostGids& host, const Member& who,
                                                     const rnic::Gid& source,
                                                     const rnic::Gid& destination) const;
    tl::expected<UnderlayPath, AddressError> to_local_guest(const HostGids& host, const Member& who,
                                                            const rnic::Gid& source,
                                                            const Member& peer,
                                                            const rnic::Gid& destination) const;
    tl::expected<UnderlayPath, AddressError> to_underlay(const HostGids& host, const Member& who,
                                                         const rnic::Gid& source,
                                                         const rnic::Gid& underlay) const;

    const AddressRules rules_;
    const std::shared_ptr<HostGidTable> host_;
    const Clock clock_;
    mutable std::mutex guests_mutex_;  // guards guests_; taken last
    std::map<std::string, rnic::GuestAdmission> guests_;
    Announcements announcements_;
    ConnectionNames connections_;
    GroupLeases groups_;
    std::mutex mutex_;  // guards the members that follow
    std::map<rnic::Gid, Claims> claims_;
    std::multiset<std::string> here_;  // the machines that have arrived
    std::chrono::steady_clock::time_point next_refresh_{};
};

}  // namespace vrdma::uverbs
