// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <spdlog/logger.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rate_limited_log.h"
#include "result.h"
#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/overlay_map.h"
#include "state/device.pb.h"

namespace vrdma::uverbs {

// The GID table of one guest's port, and its way into the underlay.  One thread at a time.
class GuestAddresses {
  public:
    // The gid_tbl_len that the guest's port reports.
    static constexpr uint32_t kTableLength = 256;

    GuestAddresses(std::string guest, std::shared_ptr<OverlayMap> map,
                   std::shared_ptr<spdlog::logger> logger);
    ~GuestAddresses();
    GuestAddresses(const GuestAddresses&) = delete;
    GuestAddresses& operator=(const GuestAddresses&) = delete;

    // EINVAL for an index out of range or a GID that no one can have, EOPNOTSUPP for another
    // type than RoCE v2, EACCES for a GID that the operator does not give to this guest.
    // `vlan` is the id of the VLAN whose netdev has the address.
    Result<void> add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type,
                         uint16_t vlan = rnic::kNoVlan);

    // EINVAL for an index out of range; an entry may be empty already.
    Result<void> del_gid(uint32_t index);

    // Every address that the guest has.
    std::vector<rnic::Gid> all() const;

    // The table, for the daemon's successor.
    void save(state::Port& port) const;
    // Adds what save() wrote.  An address that the guest may not have any more is left out, as
    // add_gid() says in the log.  EINVAL for what no table has.
    Result<void> restore(const state::Port& saved);

    // The path from an address of the guest, for connection managers, which know IP addresses.
    // Errors: underlay()'s, and EADDRNOTAVAIL when the guest does not have the source.
    Result<UnderlayPath> path(const rnic::Gid& source, const rnic::Gid& destination);
    // As path(), to a multicast group.
    Result<UnderlayPath> path_to_group(const rnic::Gid& source, const rnic::Gid& group);

    // The GIDs of the host RNIC at which others reach an address of the guest
    // (OverlayMap::entrances()).  None when the guest does not have the address, or another guest
    // claimed it first.
    std::vector<OverlayMap::Entrance> entrances(const rnic::Gid& gid);
    // The entrance to the guest itself (OverlayMap::entrance()).
    std::optional<OverlayMap::Entrance> entrance() { return map_->entrance(guest_); }

    // Sees to it that the host RNIC has the guest's own address (OverlayMap::be_reachable()).
    void be_reachable() { map_->be_reachable(guest_); }
    bool is_announced() const { return map_->is_announced(guest_); }
    // That address stays when the object goes: another process has the guest as well.
    void let_go() { map_->let_go(guest_); }

    // The address from which the guest would talk to `destination` when it leaves that open: among
    // those of the same scope, the one with most leading bits in common.  EADDRNOTAVAIL when the
    // guest has none of that scope.
    Result<rnic::Gid> source_for(const rnic::Gid& destination) const;

    // The names of both ends of a request that came to this guest from `peer`.  They are exact for
    // requests of this daemon's guests.  Otherwise the destination is `local`, an address of the
    // guest, and the source is name_of()'s.  name_of()'s errors.
    Result<ConnectionNames::Names> names_of_request(const ConnectionNames::Key& peer,
                                                    const rnic::Gid& local);
    // Remembers the names of a connection that this guest asks for.
    std::shared_ptr<ConnectionNames::Entry> remember(const ConnectionNames::Key& asking,
                                                     const ConnectionNames::Names& names) {
        return map_->connections().add(asking, names);
    }

    // The guest's name of the peer at this underlay GID (OverlayMap::name_of()).
    Result<rnic::Gid> name_of(const rnic::Gid& source, const rnic::Gid& underlay);

    // Where the guest has this GID in its table.
    std::optional<uint8_t> index_of(const rnic::Gid& gid) const;

    // The index of the netdev that has this underlay GID; 0 when there is none.
    uint32_t netdev_index(const rnic::Gid& underlay) const;

    // Counts a user of a multicast group.  EINVAL for a GID that is no group's, EADDRINUSE while
    // guests of another network use the group.
    Result<GroupLeases::Lease> use_group(const rnic::Gid& group);

    // The attributes for the host RNIC: source index, destination GID and port replaced.
    // EINVAL when sgid_index is empty, EADDRINUSE when another guest has that GID,
    // ENETUNREACH when the destination is unknown, EAFNOSUPPORT when the host RNIC has no
    // source address for it.  Says why in the log.
    Result<rnic::AhAttributes> underlay(const rnic::AhAttributes& guest);

    // As underlay(), with a multicast group as destination, which keeps its name.
    Result<rnic::AhAttributes> underlay_of_group(const rnic::AhAttributes& guest);

    // Whether the RNIC may be given the guest's attributes as they are: `underlay`, of one of the
    // functions above, has the same source index and destination.  EADDRNOTAVAIL otherwise; the log
    // says what to change.
    Result<void> check_same(const rnic::AhAttributes& guest, const rnic::AhAttributes& underlay);

  private:
    // An entry of the table.
    struct Entry {
        rnic::Gid gid{};
        uint16_t vlan = rnic::kNoVlan;
    };
    using FindPath = tl::expected<UnderlayPath, AddressError> (OverlayMap::*)(
        const std::string& guest, const rnic::Gid& source, const rnic::Gid& destination,
        uint16_t vlan);
    Result<UnderlayPath> find_path(FindPath find, const Entry& source,
                                   const rnic::Gid& destination);
    const Entry* find(const rnic::Gid& gid) const;
    rnic::AhAttributes replaced(const rnic::AhAttributes& guest, const UnderlayPath& path) const;

    const std::string guest_;
    const std::shared_ptr<OverlayMap> map_;
    // One for each kind of line: a guest that provokes one kind must not hide the others.
    RateLimitedLog gid_log_;
    RateLimitedLog path_log_;
    RateLimitedLog source_log_;
    std::map<uint32_t, Entry> gids_;
};

}  // namespace vrdma::uverbs
