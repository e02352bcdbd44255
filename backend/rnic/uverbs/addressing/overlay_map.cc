// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/overlay_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace vrdma::uverbs {
namespace {

using namespace std::chrono_literals;

// A guest can ask for unknown peers as often as it likes, and reading the table takes a few hundred
// system calls.
constexpr auto kRefreshPause = 1s;

std::string list(const HostGids& host) {
    std::string text;
    for (const HostGid& entry : host.all()) {
        text +=
            fmt::format("{}{} ({})", text.empty() ? "" : ", ", entry.index, to_string(entry.gid));
    }
    return text.empty() ? "none" : text;
}

tl::unexpected<AddressError> no_path(int error, std::string reason) {
    return tl::unexpected(AddressError{Errno{error}, std::move(reason)});
}

std::string in_network(const std::string& network) {
    return network.empty() ? "" : fmt::format(" in the network '{}'", network);
}

}  // namespace

OverlayMap::OverlayMap(AddressRules rules, std::shared_ptr<HostGidTable> host, Clock clock)
    : OverlayMap(std::move(rules), std::move(host), nullptr, nullptr, std::move(clock)) {}

OverlayMap::OverlayMap(AddressRules rules, std::shared_ptr<HostGidTable> host,
                       std::unique_ptr<NetdevIpv6> netdev, std::shared_ptr<spdlog::logger> logger,
                       Clock clock)
    : rules_(std::move(rules)),
      host_(std::move(host)),
      clock_(std::move(clock)),
      announcements_(host_, std::move(netdev), std::move(logger), clock_) {
    for (const auto& [guest, rules] : rules_.guests) {
        admit(guest, admission_of(rules));
    }
    const auto gids = host_->gids();
    if (rules_.gid_index && gids->at(*rules_.gid_index) == nullptr) {
        throw std::invalid_argument(
            fmt::format("gid_index {} is no RoCE v2 GID of the RNIC '{}', port {}; there are: {}",
                        *rules_.gid_index, host_->name(), host_->port(), list(*gids)));
    }
}

void OverlayMap::admit(const std::string& guest, const rnic::GuestAdmission& admission) {
    dismiss(guest);
    {
        const std::lock_guard lock(guests_mutex_);
        guests_[guest] = admission;
    }
    if (admission.announced) {
        announcements_.add(guest, *admission.announced);
    }
}

void OverlayMap::dismiss(const std::string& guest) {
    announcements_.remove(guest);
    const std::lock_guard lock(guests_mutex_);
    guests_.erase(guest);
}

bool OverlayMap::allows(const std::string& guest, const rnic::Gid& gid) const {
    const std::lock_guard lock(guests_mutex_);
    const auto it = guests_.find(guest);
    return it == guests_.end() || !it->second.allows || it->second.allows(gid);
}

std::string OverlayMap::network_of(const std::string& guest) const {
    const std::lock_guard lock(guests_mutex_);
    const auto it = guests_.find(guest);
    return it == guests_.end() ? std::string() : it->second.network;
}

OverlayMap::Member OverlayMap::member(const std::string& guest, uint16_t vlan) const {
    return {guest, network_of_vlan(network_of(guest), vlan)};
}

std::string OverlayMap::claim(const std::string& guest, const rnic::Gid& gid, uint16_t vlan) {
    const std::lock_guard lock(mutex_);
    const std::string network = member(guest, vlan).network;
    claims_[gid].push_back({network, guest});
    return first_claim(gid, network)->guest;
}

void OverlayMap::release(const std::string& guest, const rnic::Gid& gid, uint16_t vlan) {
    const std::lock_guard lock(mutex_);
    const std::string network = member(guest, vlan).network;
    const auto it = claims_.find(gid);
    if (it == claims_.end()) return;
    // The last of the guest's claims goes, so that a guest that had the GID twice keeps its place.
    Claims& claims = it->second;
    const auto claim = std::find_if(claims.rbegin(), claims.rend(), [&](const Claim& entry) {
        return entry.guest == guest && entry.network == network;
    });
    if (claim != claims.rend()) claims.erase(std::next(claim).base());
    if (claims.empty()) claims_.erase(it);
}

void OverlayMap::arrive(const std::string& guest) {
    const std::lock_guard lock(mutex_);
    here_.insert(guest);
}

void OverlayMap::leave(const std::string& guest) {
    {
        const std::lock_guard lock(mutex_);
        here_.erase(here_.find(guest));
        if (here_.contains(guest)) return;
    }
    announcements_.withdraw(guest);
}

const OverlayMap::Claim* OverlayMap::first_claim(const rnic::Gid& gid) const {
    const auto it = claims_.find(gid);
    return it == claims_.end() ? nullptr : &it->second.front();
}

const OverlayMap::Claim* OverlayMap::first_claim(const rnic::Gid& gid,
                                                 const std::string& network) const {
    const auto it = claims_.find(gid);
    if (it == claims_.end()) return nullptr;
    const auto claim = std::ranges::find(it->second, network, &Claim::network);
    return claim == it->second.end() ? nullptr : &*claim;
}

// The entry with the longest prefix.
const Peer* OverlayMap::find_peer(const std::string& network, const rnic::Gid& gid) const {
    const Peer* best = nullptr;
    for (const Peer& peer : rules_.peers) {
        if (peer.network == network && peer.gid.contains(gid) &&
            (best == nullptr || peer.gid.length > best->gid.length)) {
            best = &peer;
        }
    }
    return best;
}

// Whether peers of the network are behind this GID.  A guest that may name them may name the GID.
bool OverlayMap::has_peers_behind(const std::string& network, const rnic::Gid& underlay) const {
    return std::ranges::any_of(rules_.peers, [&](const Peer& peer) {
        return peer.network == network && peer.via == underlay;
    });
}

// The first GID of a scope that is not a machine's own.
const HostGid* OverlayMap::first(const HostGids& host, GidScope scope) const {
    const auto found = std::ranges::find_if(host.all(), [&](const HostGid& entry) {
        return scope_of(entry.gid) == scope && !announcements_.machine_of(entry.gid);
    });
    return found == host.all().end() ? nullptr : &*found;
}

const HostGid* OverlayMap::default_gid(const HostGids& host) const {
    if (rules_.gid_index) return host.at(*rules_.gid_index);
    for (const auto scope : {GidScope::kIpv4, GidScope::kIpv6, GidScope::kIpv6LinkLocal}) {
        if (const HostGid* found = first(host, scope)) return found;
    }
    return nullptr;
}

// The machine's own GID of the host RNIC; null when it has none.
const HostGid* OverlayMap::own_gid(const HostGids& host, const std::string& guest) const {
    const auto own = announcements_.of(guest);
    return own ? host.find(*own) : nullptr;
}

// The host RNIC's GID that is this very address of the guest; null when the address is not
// announced.  The daemon announces the machine's own address, and the operator any other one by
// adding it to the RNIC's netdev.  Other link-local addresses of the guest's link and of the host's
// say nothing about each other.  An announced address belongs to one guest, whatever the network.
const HostGid* OverlayMap::announced_gid(const HostGids& host, const Member& who,
                                         const rnic::Gid& gid) const {
    if (const auto machine = announcements_.machine_of(gid)) {
        return *machine == who.guest ? own_gid(host, who.guest) : nullptr;
    }
    const Claim* claim = first_claim(gid);
    const bool belongs = scope_of(gid) != GidScope::kIpv6LinkLocal && claim != nullptr &&
                         claim->network == who.network;
    return belongs ? host.find(gid) : nullptr;
}

// The underlay GID of a local guest's GID: guests of this host use it as destination, and the guest
// itself uses it as source.
const HostGid* OverlayMap::underlay_gid(const HostGids& host, const Member& who,
                                        const rnic::Gid& gid) const {
    // Other hosts may have the same entry, and expect this source then.
    const Peer* peer = find_peer(who.network, gid);
    if (peer != nullptr && peer->via) {
        if (const HostGid* via = host.find(*peer->via)) return via;
    }
    if (const HostGid* announced = announced_gid(host, who, gid)) return announced;
    if (const HostGid* own = own_gid(host, who.guest)) return own;
    return default_gid(host);
}

// Whether others have this underlay GID of the guest's address as well.
bool OverlayMap::is_shared(const HostGids& host, const Member& who, const rnic::Gid& gid,
                           const rnic::Gid& underlay) const {
    const HostGid* own = own_gid(host, who.guest);
    const HostGid* announced = announced_gid(host, who, gid);
    return (own == nullptr || own->gid != underlay) &&
           (announced == nullptr || announced->gid != underlay);
}

// The guest of the network whose address this is, if there is one.  An address that the
// configuration gives to a machine is that machine's, whoever claims it.
std::optional<std::string> OverlayMap::owner_of(const rnic::Gid& gid,
                                                const std::string& network) const {
    auto machine = announcements_.machine_of(gid);
    if (machine && here_.contains(*machine) && network_of(*machine) == network) {
        return machine;
    }
    const Claim* claim = first_claim(gid, network);
    return claim == nullptr ? std::nullopt : std::optional(claim->guest);
}

// Whether a GID of the host RNIC leads to the host itself, for guests of this network.  It does not
// when it was announced for a guest of another network, and not from the VLANs of a guest.
bool OverlayMap::may_reach_host(const HostGids& host, const Member& who,
                                const rnic::Gid& gid) const {
    if (host.find(gid) == nullptr || announcements_.machine_of(gid).has_value() ||
        who.network != network_of(who.guest)) {
        return false;
    }
    const Claim* claim = first_claim(gid);
    return claim == nullptr || claim->network == who.network || host.find(gid) == default_gid(host);
}

std::string OverlayMap::missing_source(GidScope scope) const {
    const char* kind = scope == GidScope::kIpv4   ? "an IPv4 address"
                       : scope == GidScope::kIpv6 ? "an IPv6 address"
                                                  : "a link-local IPv6 address";
    return fmt::format("the RNIC '{}' has no RoCE v2 GID to send from; give its netdev {}",
                       host_->name(), kind);
}

tl::expected<UnderlayPath, AddressError> OverlayMap::to_local_guest(
    const HostGids& host, const Member& who, const rnic::Gid& source, const Member& peer,
    const rnic::Gid& destination) const {
    const HostGid* from = underlay_gid(host, who, source);
    const HostGid* to = underlay_gid(host, peer, destination);
    if (from == nullptr || to == nullptr) {
        return no_path(EAFNOSUPPORT, missing_source(GidScope::kIpv4));
    }
    // No packet has an IPv4 source and an IPv6 destination.  The other guest comes to the same
    // conclusion, so that both ends fit.
    if (scope_of(from->gid) != scope_of(to->gid)) {
        from = own_gid(host, who.guest);
        to = own_gid(host, peer.guest);
        if (from == nullptr || to == nullptr) from = to = default_gid(host);
        if (from == nullptr) return no_path(EAFNOSUPPORT, missing_source(GidScope::kIpv4));
    }
    return UnderlayPath{from->index, from->gid, to->gid, false,
                        is_shared(host, who, source, from->gid)};
}

tl::expected<UnderlayPath, AddressError> OverlayMap::to_underlay(const HostGids& host,
                                                                 const Member& who,
                                                                 const rnic::Gid& source,
                                                                 const rnic::Gid& underlay) const {
    const GidScope scope = scope_of(underlay);
    for (const HostGid* from : {underlay_gid(host, who, source), own_gid(host, who.guest),
                                default_gid(host), first(host, scope)}) {
        if (from != nullptr && scope_of(from->gid) == scope) {
            return UnderlayPath{from->index, from->gid, underlay, false,
                                is_shared(host, who, source, from->gid)};
        }
    }
    return no_path(EAFNOSUPPORT, missing_source(scope));
}

// Why the guest may not send from a GID that it claimed.
std::optional<AddressError> OverlayMap::why_not_from(const Member& who,
                                                     const rnic::Gid& source) const {
    const auto owner = owner_of(source, who.network);
    if (!owner || *owner == who.guest || scope_of(source) == GidScope::kIpv6LinkLocal) {
        return std::nullopt;
    }
    return AddressError{
        Errno{EADDRINUSE},
        fmt::format("the guest '{}' has {} already; give each guest its own address", *owner,
                    to_string(source))};
}

tl::expected<UnderlayPath, AddressError> OverlayMap::look_up(const HostGids& host,
                                                             const Member& who,
                                                             const rnic::Gid& source,
                                                             const rnic::Gid& destination) const {
    const std::string& network = who.network;
    if (auto refused = why_not_from(who, source)) {
        return tl::unexpected(std::move(*refused));
    }
    if (is_zero(destination) || is_multicast(destination)) {
        return no_path(ENETUNREACH, "the other end of a connection has an address of its own");
    }

    const Peer* peer = find_peer(network, destination);
    const auto is_here = [&] { return host.find(peer->via.value_or(destination)) != nullptr; };
    // An entry for this very GID says where it is, whichever guest claims it.  An entry for a
    // prefix is for the GIDs that are not here.
    const bool elsewhere = peer != nullptr && peer->gid.is_one_gid() && !is_here();
    const auto owner = owner_of(destination, network);
    if (owner && !elsewhere) {
        return to_local_guest(host, who, source, {*owner, network}, destination);
    }
    if (peer != nullptr && peer->via) {
        return to_underlay(host, who, source, *peer->via);
    }
    // An address that is announced for a machine of another network is none of a peer's.
    const auto machine = announcements_.machine_of(destination);
    const bool other_network = machine && network_of(*machine) != network;
    if ((peer != nullptr && !other_network) || may_reach_host(host, who, destination)) {
        auto path = to_underlay(host, who, source, destination);
        if (path) path->bare_metal = true;
        return path;
    }
    if (has_peers_behind(network, destination)) {
        return to_underlay(host, who, source, destination);
    }
    return no_path(
        ENETUNREACH,
        fmt::format("nobody is known to have it{}: no guest of this daemon, no [[peer]], and it "
                    "is no GID of the RNIC '{}'; add a [[peer]] with gid = \"{}\"{}",
                    in_network(network), host_->name(), to_string(destination),
                    network.empty() ? "" : fmt::format(" and network = \"{}\"", network)));
}

// Sees to it that both ends have their own addresses, if they may have any.
void OverlayMap::settle(const Member& who, const rnic::Gid& destination) {
    std::string peer;
    {
        const std::lock_guard lock(mutex_);
        const auto owner = owner_of(destination, who.network);
        if (owner) peer = *owner;
    }
    announcements_.settle(who.guest);
    if (!peer.empty() && peer != who.guest) announcements_.settle(peer);
}

tl::expected<UnderlayPath, AddressError> OverlayMap::path(const std::string& guest,
                                                          const rnic::Gid& source,
                                                          const rnic::Gid& destination,
                                                          uint16_t vlan) {
    const Member who = member(guest, vlan);
    settle(who, destination);
    {
        const std::lock_guard lock(mutex_);
        auto found = look_up(*host_->gids(), who, source, destination);
        const auto now = clock_();
        if (found || found.error().error == Errno{EADDRINUSE} || now < next_refresh_) {
            return found;
        }
        next_refresh_ = now + kRefreshPause;
    }
    // The host may have got an address whose event is still on its way.
    host_->refresh();
    const std::lock_guard lock(mutex_);
    return look_up(*host_->gids(), who, source, destination);
}

// The name of a machine of this daemon at its own underlay GID: the machine's address that is
// nearest to `source`.
std::optional<rnic::Gid> OverlayMap::machine_name(const std::string& network,
                                                  const rnic::Gid& source,
                                                  const rnic::Gid& underlay) {
    const std::lock_guard lock(mutex_);
    const auto machine = owner_of(underlay, network);
    if (!machine || !announcements_.machine_of(underlay)) return std::nullopt;
    std::optional<rnic::Gid> best;
    for (const auto& [gid, claims] : claims_) {
        const Claim* claim = first_claim(gid, network);
        if (claim != nullptr && claim->guest == *machine && scope_of(gid) == scope_of(source) &&
            (!best || common_bits(gid, source) > common_bits(*best, source))) {
            best = gid;
        }
    }
    return best;
}

// The name of the peer of the configuration behind an underlay GID: the only one, or the only one
// of the family of `source`.
std::optional<rnic::Gid> OverlayMap::peer_name(const std::string& network, const rnic::Gid& source,
                                               const rnic::Gid& underlay) const {
    std::vector<const Peer*> behind;
    for (const Peer& peer : rules_.peers) {
        if (peer.network == network && peer.via == underlay) behind.push_back(&peer);
    }
    if (behind.size() > 1) {
        std::erase_if(
            behind, [&](const Peer* peer) { return scope_of(peer->gid.gid) != scope_of(source); });
    }
    return behind.size() == 1 && behind.front()->gid.is_one_gid()
               ? std::optional(behind.front()->gid.gid)
               : std::nullopt;
}

tl::expected<rnic::Gid, AddressError> OverlayMap::name_of(const std::string& guest,
                                                          const rnic::Gid& source,
                                                          const rnic::Gid& underlay,
                                                          uint16_t vlan) {
    const std::string network = member(guest, vlan).network;
    for (const auto& name :
         {machine_name(network, source, underlay), peer_name(network, source, underlay)}) {
        if (!name) continue;
        const auto there = path(guest, source, *name, vlan);
        if (there && there->dgid == underlay) return *name;
    }
    auto itself = path(guest, source, underlay, vlan);
    if (!itself) return tl::unexpected(std::move(itself.error()));
    if (itself->dgid != underlay) {
        return no_path(ENETUNREACH,
                       fmt::format("for this guest {} is another's address", to_string(underlay)));
    }
    return underlay;
}

std::string OverlayMap::netdev_of(const rnic::Gid& gid) const {
    const auto gids = host_->gids();
    const HostGid* found = gids->find(gid);
    return found == nullptr ? "" : found->netdev;
}

tl::expected<UnderlayPath, AddressError> OverlayMap::group_path(const std::string& guest,
                                                                const rnic::Gid& source,
                                                                const rnic::Gid& group,
                                                                uint16_t vlan) {
    announcements_.settle(guest);
    const Member who = member(guest, vlan);
    const std::lock_guard lock(mutex_);
    if (auto refused = why_not_from(who, source)) {
        return tl::unexpected(std::move(*refused));
    }
    const auto host = host_->gids();
    const bool ipv4 = scope_of(group) == GidScope::kIpv4;
    for (const HostGid* from :
         {underlay_gid(*host, who, source), own_gid(*host, guest), default_gid(*host),
          first(*host, ipv4 ? GidScope::kIpv4 : GidScope::kIpv6),
          first(*host, ipv4 ? GidScope::kIpv4 : GidScope::kIpv6LinkLocal)}) {
        if (from != nullptr && (scope_of(from->gid) == GidScope::kIpv4) == ipv4) {
            return UnderlayPath{from->index, from->gid, group, false,
                                is_shared(*host, who, source, from->gid)};
        }
    }
    return no_path(EAFNOSUPPORT, missing_source(scope_of(group)));
}

Result<GroupLeases::Lease> OverlayMap::use_group(const std::string& guest, const rnic::Gid& group) {
    return groups_.use(network_of(guest), group);
}

// Reads the host's table again: the host may have got an address a moment ago.
void OverlayMap::look_again() {
    {
        const std::lock_guard lock(mutex_);
        const auto now = clock_();
        if (now < next_refresh_) return;
        next_refresh_ = now + kRefreshPause;
    }
    host_->refresh();
}

std::vector<OverlayMap::Entrance> OverlayMap::entrances(const std::string& guest,
                                                        const rnic::Gid& gid, uint16_t vlan) {
    const Member who = member(guest, vlan);
    announcements_.settle(guest);
    look_again();
    const std::lock_guard lock(mutex_);
    const bool link_local = scope_of(gid) == GidScope::kIpv6LinkLocal;
    const auto owner = owner_of(gid, who.network);
    if (!owner || (*owner != guest && !link_local)) {
        return {};
    }
    const auto host = host_->gids();
    const HostGid* own = own_gid(*host, guest);
    const HostGid* first = underlay_gid(*host, who, gid);
    std::vector<Entrance> list;
    const auto add = [&](const HostGid* entry) {
        if (entry != nullptr &&
            std::ranges::find(list, entry->gid, &Entrance::underlay) == list.end()) {
            list.push_back({entry->gid, is_shared(*host, who, gid, entry->gid)});
        }
    };
    add(first);
    // Guests whose own underlay GID is of another family come by the machine's own GID.
    add(own);
    // Peers at hosts of another family, and guests without a GID of their own, come by the default.
    if (first != nullptr && first == own && !link_local) add(default_gid(*host));
    return list;
}

std::optional<OverlayMap::Entrance> OverlayMap::entrance(const std::string& guest) {
    announcements_.settle(guest);
    look_again();
    const std::lock_guard lock(mutex_);
    const auto host = host_->gids();
    if (const HostGid* own = own_gid(*host, guest)) return Entrance{own->gid, false};
    const HostGid* shared = default_gid(*host);
    return shared == nullptr ? std::nullopt : std::optional(Entrance{shared->gid, true});
}

}  // namespace vrdma::uverbs
