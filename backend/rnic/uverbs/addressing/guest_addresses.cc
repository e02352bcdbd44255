// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/guest_addresses.h"

#include <net/if.h>

#include <algorithm>

#include "rnic/attributes_state.h"
#include "vrdma_commands.h"

namespace vrdma::uverbs {
namespace {

// The hop limit for guests that leave it open.  It is enough for any data centre, and the kernel's
// IP uses it.
constexpr uint8_t kDefaultHopLimit = 64;

constexpr uint32_t kFlowLabelMask = 0xfffff;  // 20 bits, IBTA 1.4, 8.3

}  // namespace

GuestAddresses::GuestAddresses(std::string guest, std::shared_ptr<OverlayMap> map,
                               std::shared_ptr<spdlog::logger> logger)
    : guest_(std::move(guest)),
      map_(std::move(map)),
      gid_log_(logger),
      path_log_(logger),
      source_log_(std::move(logger)) {
    map_->arrive(guest_);
}

GuestAddresses::~GuestAddresses() {
    for (const auto& [index, entry] : gids_) {
        map_->release(guest_, entry.gid, entry.vlan);
    }
    map_->leave(guest_);
}

Result<void> GuestAddresses::add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type,
                                     uint16_t vlan) {
    if (type != VRDMA_GID_TYPE_ROCE_V2) {
        return fail(EOPNOTSUPP);
    }
    if (index >= kTableLength || is_zero(gid) || is_multicast(gid)) {
        return fail(EINVAL);
    }
    if (!map_->allows(guest_, gid)) {
        gid_log_.warn(
            "{}: the address {} is not among the 'gids' of its [[vm]]; the guest "
            "cannot use it",
            guest_, to_string(gid));
        return fail(EACCES);
    }
    const std::string owner = map_->claim(guest_, gid, vlan);
    if (owner != guest_ && scope_of(gid) != GidScope::kIpv6LinkLocal) {
        // This is no error: the guest's kernel would never try again, not even when the owner lets
        // go.
        gid_log_.warn(
            "{}: the address {} belongs to the guest '{}'; this guest cannot use it as long as "
            "that one has it",
            guest_, to_string(gid), owner);
    }
    // The new GID is claimed before the old one is released, so that replacing a GID by itself
    // keeps its place.
    if (const auto old = gids_.find(index); old != gids_.end()) {
        map_->release(guest_, old->second.gid, old->second.vlan);
    }
    gids_[index] = {gid, vlan};
    return {};
}

Result<void> GuestAddresses::del_gid(uint32_t index) {
    if (index >= kTableLength) {
        return fail(EINVAL);
    }
    if (const auto it = gids_.find(index); it != gids_.end()) {
        map_->release(guest_, it->second.gid, it->second.vlan);
        gids_.erase(it);
    }
    return {};
}

std::vector<rnic::Gid> GuestAddresses::all() const {
    std::vector<rnic::Gid> gids;
    for (const auto& [index, entry] : gids_) {
        gids.push_back(entry.gid);
    }
    return gids;
}

std::vector<OverlayMap::Entrance> GuestAddresses::entrances(const rnic::Gid& gid) {
    const Entry* entry = find(gid);
    return entry != nullptr ? map_->entrances(guest_, gid, entry->vlan)
                            : std::vector<OverlayMap::Entrance>{};
}

Result<rnic::Gid> GuestAddresses::source_for(const rnic::Gid& destination) const {
    const rnic::Gid* best = nullptr;
    for (const auto& [index, entry] : gids_) {
        const rnic::Gid& gid = entry.gid;
        if (scope_of(gid) == scope_of(destination) &&
            (best == nullptr || common_bits(gid, destination) > common_bits(*best, destination))) {
            best = &gid;
        }
    }
    if (best == nullptr) {
        return fail(EADDRNOTAVAIL);
    }
    return *best;
}

Result<rnic::Gid> GuestAddresses::name_of(const rnic::Gid& source, const rnic::Gid& underlay) {
    const Entry* entry = find(source);
    auto name =
        map_->name_of(guest_, source, underlay, entry == nullptr ? rnic::kNoVlan : entry->vlan);
    if (!name) {
        path_log_.warn("{}: the guest is not connected with {}: {}", guest_, to_string(underlay),
                       name.error().reason);
        return fail(name.error().error);
    }
    return *name;
}

Result<ConnectionNames::Names> GuestAddresses::names_of_request(const ConnectionNames::Key& peer,
                                                                const rnic::Gid& local) {
    if (const auto known = map_->connections().find(peer)) {
        const Entry* entry = find(known->destination);
        const auto back = entry == nullptr
                              ? tl::unexpected(AddressError{})
                              : map_->path(guest_, known->destination, known->source, entry->vlan);
        if (back && back->dgid == peer.underlay) {
            return *known;
        }
    }
    const auto name = name_of(local, peer.underlay);
    return name ? Result<ConnectionNames::Names>({*name, local}) : fail(name.error());
}

std::optional<uint8_t> GuestAddresses::index_of(const rnic::Gid& gid) const {
    const auto found =
        std::ranges::find_if(gids_, [&](const auto& entry) { return entry.second.gid == gid; });
    static_assert(kTableLength - 1 <= UINT8_MAX);
    return found == gids_.end() ? std::nullopt : std::optional(static_cast<uint8_t>(found->first));
}

// The first entry of the table with this GID.
const GuestAddresses::Entry* GuestAddresses::find(const rnic::Gid& gid) const {
    const auto found =
        std::ranges::find_if(gids_, [&](const auto& entry) { return entry.second.gid == gid; });
    return found == gids_.end() ? nullptr : &found->second;
}

uint32_t GuestAddresses::netdev_index(const rnic::Gid& underlay) const {
    return ::if_nametoindex(map_->netdev_of(underlay).c_str());
}

Result<UnderlayPath> GuestAddresses::path(const rnic::Gid& source, const rnic::Gid& destination) {
    const Entry* entry = find(source);
    return entry != nullptr ? find_path(&OverlayMap::path, *entry, destination)
                            : fail(EADDRNOTAVAIL);
}

Result<UnderlayPath> GuestAddresses::path_to_group(const rnic::Gid& source,
                                                   const rnic::Gid& group) {
    const Entry* entry = find(source);
    return entry != nullptr ? find_path(&OverlayMap::group_path, *entry, group)
                            : fail(EADDRNOTAVAIL);
}

Result<GroupLeases::Lease> GuestAddresses::use_group(const rnic::Gid& group) {
    if (!is_multicast(group)) {
        return fail(EINVAL);
    }
    auto lease = map_->use_group(guest_, group);
    if (!lease) {
        path_log_.warn(
            lease.error(),
            "{}: guests of another network use the multicast group {}; the verb gets '{}'", guest_,
            to_string(group), vrdma::to_string(lease.error()));
    }
    return lease;
}

Result<UnderlayPath> GuestAddresses::find_path(FindPath find, const Entry& source,
                                               const rnic::Gid& destination) {
    auto path = ((*map_).*find)(guest_, source.gid, destination, source.vlan);
    if (!path) {
        path_log_.warn(path.error().error, "{}: no path from {} to {}: {}; the verb gets '{}'",
                       guest_, to_string(source.gid), to_string(destination), path.error().reason,
                       vrdma::to_string(path.error().error));
        return fail(path.error().error);
    }
    return *path;
}

Result<rnic::AhAttributes> GuestAddresses::underlay(const rnic::AhAttributes& guest) {
    const auto source = gids_.find(guest.sgid_index);
    if (source == gids_.end()) {
        return fail(EINVAL);
    }
    const auto path = find_path(&OverlayMap::path, source->second, guest.dgid);
    if (!path) {
        return fail(path.error());
    }
    if (path->bare_metal && path->sgid != source->second.gid) {
        source_log_.info(
            "{}: {} sees {} as the source of its packets, not {}, and answers to what it sees; "
            "for {} to be seen, add it to the RNIC's netdev",
            guest_, to_string(path->dgid), to_string(path->sgid), to_string(source->second.gid),
            to_string(source->second.gid));
    }
    return replaced(guest, *path);
}

Result<rnic::AhAttributes> GuestAddresses::underlay_of_group(const rnic::AhAttributes& guest) {
    const auto source = gids_.find(guest.sgid_index);
    if (source == gids_.end()) {
        return fail(EINVAL);
    }
    const auto path = find_path(&OverlayMap::group_path, source->second, guest.dgid);
    if (!path) {
        return fail(path.error());
    }
    return replaced(guest, *path);
}

Result<void> GuestAddresses::check_same(const rnic::AhAttributes& guest,
                                        const rnic::AhAttributes& underlay) {
    if (guest.dgid == underlay.dgid && guest.sgid_index == underlay.sgid_index) {
        return {};
    }
    const auto source = gids_.find(guest.sgid_index);
    path_log_.warn(
        Errno{EADDRNOTAVAIL},
        "{}: no datagrams from {} (GID index {}) to {}: this RNIC's library writes the path into "
        "its requests itself, and in the underlay the path is from GID index {} to {}; announce "
        "the guest's address on the RNIC's netdev at the index that it has in the guest, and name "
        "the peer by its own address",
        guest_, source == gids_.end() ? "?" : to_string(source->second.gid), guest.sgid_index,
        to_string(guest.dgid), underlay.sgid_index, to_string(underlay.dgid));
    return fail(EADDRNOTAVAIL);
}

rnic::AhAttributes GuestAddresses::replaced(const rnic::AhAttributes& guest,
                                            const UnderlayPath& path) const {
    rnic::AhAttributes underlay = guest;
    underlay.dgid = path.dgid;
    underlay.sgid_index = path.sgid_index;
    underlay.port = static_cast<uint8_t>(map_->host_port());
    underlay.hop_limit = guest.hop_limit == 0 ? kDefaultHopLimit : guest.hop_limit;
    underlay.flow_label = guest.flow_label & kFlowLabelMask;
    // The guest resolved the address on its own link; the host's kernel does it on the RNIC's.
    underlay.dmac = {};
    // RoCE has no other path (IBTA 1.4, annex A16), and no LIDs.
    underlay.has_grh = true;
    underlay.dlid = 0;
    underlay.src_path_bits = 0;
    return underlay;
}

void GuestAddresses::save(state::Port& port) const {
    for (const auto& [index, entry] : gids_) {
        state::Gid& gid = *port.add_gids();
        gid.set_index(index);
        gid.set_gid(rnic::save_gid(entry.gid));
        gid.set_type(VRDMA_GID_TYPE_ROCE_V2);
        gid.set_vlan(entry.vlan);
    }
}

Result<void> GuestAddresses::restore(const state::Port& saved) {
    for (const state::Gid& entry : saved.gids()) {
        const auto gid = rnic::restore_gid(entry.gid());
        if (!gid || entry.index() >= kTableLength || entry.vlan() > rnic::kNoVlan) {
            return fail(EINVAL);
        }
        (void)add_gid(entry.index(), *gid, entry.type(), static_cast<uint16_t>(entry.vlan()));
    }
    return {};
}

}  // namespace vrdma::uverbs
