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
    : rules_(std::move(rules)), host_(std::move(host)), clock_(std::move(clock)) {
    const auto gids = host_->gids();
    if (rules_.gid_index && gids->at(*rules_.gid_index) == nullptr) {
        throw std::invalid_argument(
            fmt::format("gid_index {} is no RoCE v2 GID of the RNIC '{}', port {}; there are: {}",
                        *rules_.gid_index, host_->name(), host_->port(), list(*gids)));
    }
}

const GuestRules& OverlayMap::rules(const std::string& guest) const {
    static const GuestRules kNone{};
    const auto it = rules_.guests.find(guest);
    return it == rules_.guests.end() ? kNone : it->second;
}

std::string OverlayMap::claim(const std::string& guest, const rnic::Gid& gid) {
    const std::lock_guard lock(mutex_);
    const std::string& network = rules(guest).network;
    claims_[gid].push_back({network, guest});
    return first_claim(gid, network)->guest;
}

void OverlayMap::release(const std::string& guest, const rnic::Gid& gid) {
    const std::lock_guard lock(mutex_);
    const auto it = claims_.find(gid);
    if (it == claims_.end()) return;
    // The last of the guest's claims goes, so that a guest that had the GID twice keeps its place.
    Claims& claims = it->second;
    const auto claim = std::find_if(claims.rbegin(), claims.rend(),
                                    [&](const Claim& entry) { return entry.guest == guest; });
    if (claim != claims.rend()) claims.erase(std::next(claim).base());
    if (claims.empty()) claims_.erase(it);
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

const HostGid* OverlayMap::default_gid(const HostGids& host) const {
    if (rules_.gid_index) return host.at(*rules_.gid_index);
    for (const auto scope : {GidScope::kIpv4, GidScope::kIpv6, GidScope::kIpv6LinkLocal}) {
        if (const HostGid* first = host.first(scope)) return first;
    }
    return nullptr;
}

// The underlay GID of the local guest with this GID: guests of this host use it as destination, and
// the guest itself uses it as source.
const HostGid* OverlayMap::underlay_gid(const HostGids& host, const std::string& network,
                                        const rnic::Gid& gid) const {
    // Other hosts may have the same entry, and expect this source then.
    const Peer* peer = find_peer(network, gid);
    if (peer != nullptr && peer->via) {
        if (const HostGid* via = host.find(*peer->via)) return via;
    }
    // The address is "announced" when the host RNIC has it too.  Link-local addresses of the
    // guest's link and of the host's say nothing about each other.  An announced address belongs to
    // one guest, whatever the network.
    if (scope_of(gid) != GidScope::kIpv6LinkLocal) {
        const HostGid* announced = host.find(gid);
        const Claim* claim = first_claim(gid);
        if (announced != nullptr && claim != nullptr && claim->network == network) {
            return announced;
        }
    }
    return default_gid(host);
}

// Whether a GID of the host RNIC leads to the host itself, for guests of this network.  It does not
// when it was announced for a guest of another network.
bool OverlayMap::may_reach_host(const HostGids& host, const std::string& network,
                                const rnic::Gid& gid) const {
    if (host.find(gid) == nullptr) return false;
    const Claim* claim = first_claim(gid);
    return claim == nullptr || claim->network == network || host.find(gid) == default_gid(host);
}

std::string OverlayMap::missing_source(GidScope scope) const {
    const char* kind = scope == GidScope::kIpv4   ? "an IPv4 address"
                       : scope == GidScope::kIpv6 ? "an IPv6 address"
                                                  : "a link-local IPv6 address";
    return fmt::format("the RNIC '{}' has no RoCE v2 GID to send from; give its netdev {}",
                       host_->name(), kind);
}

tl::expected<UnderlayPath, AddressError> OverlayMap::to_local_guest(
    const HostGids& host, const std::string& network, const rnic::Gid& source,
    const rnic::Gid& destination) const {
    const HostGid* from = underlay_gid(host, network, source);
    const HostGid* to = underlay_gid(host, network, destination);
    if (from == nullptr || to == nullptr) {
        return no_path(EAFNOSUPPORT, missing_source(GidScope::kIpv4));
    }
    // No packet has an IPv4 source and an IPv6 destination.  The other guest comes to the same
    // conclusion, so that both ends fit.
    if (scope_of(from->gid) != scope_of(to->gid)) {
        from = to = default_gid(host);
        if (from == nullptr) return no_path(EAFNOSUPPORT, missing_source(GidScope::kIpv4));
    }
    return UnderlayPath{from->index, from->gid, to->gid, false};
}

tl::expected<UnderlayPath, AddressError> OverlayMap::to_underlay(const HostGids& host,
                                                                 const std::string& network,
                                                                 const rnic::Gid& source,
                                                                 const rnic::Gid& underlay) const {
    const GidScope scope = scope_of(underlay);
    for (const HostGid* from :
         {underlay_gid(host, network, source), default_gid(host), host.first(scope)}) {
        if (from != nullptr && scope_of(from->gid) == scope) {
            return UnderlayPath{from->index, from->gid, underlay, false};
        }
    }
    return no_path(EAFNOSUPPORT, missing_source(scope));
}

// Why the guest may not send from a GID that it claimed.
std::optional<AddressError> OverlayMap::why_not_from(const std::string& guest,
                                                     const rnic::Gid& source) const {
    const Claim* owner = first_claim(source, rules(guest).network);
    if (owner == nullptr || owner->guest == guest || scope_of(source) == GidScope::kIpv6LinkLocal) {
        return std::nullopt;
    }
    return AddressError{
        Errno{EADDRINUSE},
        fmt::format("the guest '{}' has {} already; give each guest its own address", owner->guest,
                    to_string(source))};
}

tl::expected<UnderlayPath, AddressError> OverlayMap::look_up(const HostGids& host,
                                                             const std::string& guest,
                                                             const rnic::Gid& source,
                                                             const rnic::Gid& destination) const {
    const std::string& network = rules(guest).network;
    if (auto refused = why_not_from(guest, source)) {
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
    if (first_claim(destination, network) != nullptr && !elsewhere) {
        return to_local_guest(host, network, source, destination);
    }
    if (peer != nullptr && peer->via) {
        return to_underlay(host, network, source, *peer->via);
    }
    if (peer != nullptr || may_reach_host(host, network, destination)) {
        auto path = to_underlay(host, network, source, destination);
        if (path) path->bare_metal = true;
        return path;
    }
    if (has_peers_behind(network, destination)) {
        return to_underlay(host, network, source, destination);
    }
    return no_path(
        ENETUNREACH,
        fmt::format("nobody is known to have it{}: no guest of this daemon, no [[peer]], and it "
                    "is no GID of the RNIC '{}'; add a [[peer]] with gid = \"{}\"{}",
                    in_network(network), host_->name(), to_string(destination),
                    network.empty() ? "" : fmt::format(" and network = \"{}\"", network)));
}

tl::expected<UnderlayPath, AddressError> OverlayMap::path(const std::string& guest,
                                                          const rnic::Gid& source,
                                                          const rnic::Gid& destination) {
    {
        const std::lock_guard lock(mutex_);
        auto found = look_up(*host_->gids(), guest, source, destination);
        const auto now = clock_();
        if (found || found.error().error == Errno{EADDRINUSE} || now < next_refresh_) {
            return found;
        }
        next_refresh_ = now + kRefreshPause;
    }
    // The host may have got an address whose event is still on its way.
    host_->refresh();
    const std::lock_guard lock(mutex_);
    return look_up(*host_->gids(), guest, source, destination);
}

tl::expected<rnic::Gid, AddressError> OverlayMap::name_of(const std::string& guest,
                                                          const rnic::Gid& source,
                                                          const rnic::Gid& underlay) {
    // Where there is just one peer behind the GID, that peer's own name.
    const Peer* only = nullptr;
    size_t behind = 0;
    for (const Peer& peer : rules_.peers) {
        if (peer.network == rules(guest).network && peer.via == underlay) {
            only = &peer;
            ++behind;
        }
    }
    if (behind == 1 && only->gid.is_one_gid()) {
        const auto there = path(guest, source, only->gid.gid);
        if (there && there->dgid == underlay) return only->gid.gid;
    }
    auto itself = path(guest, source, underlay);
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
                                                                const rnic::Gid& group) {
    const std::lock_guard lock(mutex_);
    if (auto refused = why_not_from(guest, source)) {
        return tl::unexpected(std::move(*refused));
    }
    const auto host = host_->gids();
    const bool ipv4 = scope_of(group) == GidScope::kIpv4;
    for (const HostGid* from :
         {underlay_gid(*host, rules(guest).network, source), default_gid(*host),
          host->first(ipv4 ? GidScope::kIpv4 : GidScope::kIpv6),
          host->first(ipv4 ? GidScope::kIpv4 : GidScope::kIpv6LinkLocal)}) {
        if (from != nullptr && (scope_of(from->gid) == GidScope::kIpv4) == ipv4) {
            return UnderlayPath{from->index, from->gid, group, false};
        }
    }
    return no_path(EAFNOSUPPORT, missing_source(scope_of(group)));
}

Result<GroupLeases::Lease> OverlayMap::use_group(const std::string& guest, const rnic::Gid& group) {
    return groups_.use(rules(guest).network, group);
}

std::optional<rnic::Gid> OverlayMap::underlay_gid(const std::string& guest, const rnic::Gid& gid) {
    // The host may have got the address a moment ago; a guest asks when it begins to listen.
    bool refresh = false;
    {
        const std::lock_guard lock(mutex_);
        const auto now = clock_();
        refresh = now >= next_refresh_;
        if (refresh) next_refresh_ = now + kRefreshPause;
    }
    if (refresh) host_->refresh();
    const std::lock_guard lock(mutex_);
    const std::string& network = rules(guest).network;
    const Claim* owner = first_claim(gid, network);
    if (owner == nullptr || (owner->guest != guest && scope_of(gid) != GidScope::kIpv6LinkLocal)) {
        return std::nullopt;
    }
    const auto host = host_->gids();
    const HostGid* found = underlay_gid(*host, network, gid);
    return found == nullptr ? std::nullopt : std::optional(found->gid);
}

}  // namespace vrdma::uverbs
