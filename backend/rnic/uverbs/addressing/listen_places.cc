// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/listen_places.h"

#include <algorithm>

namespace vrdma::uverbs {
namespace {

constexpr uint16_t kFirstUnprivilegedPort = 1024;

std::vector<rnic::Gid> wanted_addresses(const GuestAddresses& addresses, const SocketAddress& local,
                                        bool ipv6_only) {
    if (!is_zero(local.ip)) {
        return {local.ip};
    }
    std::vector<rnic::Gid> wanted = addresses.all();
    std::erase_if(wanted, [&](const rnic::Gid& own) {
        const bool ipv4 = scope_of(own) == GidScope::kIpv4;
        return local.ipv6 ? ipv6_only && ipv4 : !ipv4;
    });
    return wanted;
}

// Whether `guest` is a better name for the place than the one that it has.
bool fits_better(const ListenPlace& place, const rnic::Gid& guest) {
    const GidScope scope = scope_of(place.underlay);
    return guest == place.underlay || (scope_of(place.guest) != scope && scope_of(guest) == scope);
}

}  // namespace

std::vector<ListenPlace> listen_places(GuestAddresses& addresses, const SocketAddress& local,
                                       bool ipv6_only) {
    std::vector<ListenPlace> places;
    for (const rnic::Gid& guest : wanted_addresses(addresses, local, ipv6_only)) {
        const auto entrances = addresses.entrances(guest);
        const bool has_own = !std::ranges::all_of(entrances, &OverlayMap::Entrance::shared);
        for (const auto& [underlay, shared] : entrances) {
            const bool needed = !shared || !has_own;
            const auto same = std::ranges::find(places, underlay, &ListenPlace::underlay);
            if (same == places.end()) {
                places.push_back({guest, underlay, shared, needed});
                continue;
            }
            same->needed |= needed;
            if (fits_better(*same, guest)) {
                same->guest = guest;
            }
        }
    }
    // The machine's own GID leads to each of the guest's addresses, those to come included.
    const auto entrance = is_zero(local.ip) ? addresses.entrance() : std::nullopt;
    if (entrance && (places.empty() || !entrance->shared) &&
        std::ranges::find(places, entrance->underlay, &ListenPlace::underlay) == places.end()) {
        rnic::Gid nobody{};
        if (!local.ipv6) {
            nobody = local.ip;
        }
        places.push_back({nobody, entrance->underlay, entrance->shared, true});
    }
    // clang 14 does not take std::ranges::stable_partition as GCC's library has it.
    std::stable_partition(places.begin(), places.end(),
                          [](const ListenPlace& place) { return !place.shared; });
    return places;
}

bool is_hosts_port(const ListenPlace& place, uint16_t port) {
    return port < kFirstUnprivilegedPort && place.shared;
}

}  // namespace vrdma::uverbs
