// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What the operator says about addresses.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/gid.h"

namespace vrdma::uverbs {

// The place of a peer that is no guest of this daemon, or a guest on another RNIC.
struct Peer {
    std::string network;           // the guests of this network may reach the peer
    GidPrefix gid;                 // as the guests name it
    std::optional<rnic::Gid> via;  // its underlay GID; none: the GID itself
    bool operator==(const Peer&) const = default;
};

// The configuration of one guest.
struct GuestRules {
    std::string network;  // guests of different networks do not know each other's GIDs
    // The GIDs that the guest may use besides link-local ones.  Empty: any.
    std::vector<GidPrefix> gids = {};
    // The address that the daemon announces for the machine.  None: it announces no address.
    std::optional<rnic::Gid> announced = {};
    // The partition keys that the guest has on InfiniBand, in the order of its table.  Empty: the
    // first key of the host's port.
    std::vector<uint16_t> pkeys = {};

    // Whether the guest may use an address of its own choice.
    bool allows(const rnic::Gid& gid) const {
        return gids.empty() || scope_of(gid) == GidScope::kIpv6LinkLocal || gid == announced ||
               std::ranges::any_of(
                   gids, [&gid](const GidPrefix& prefix) { return prefix.contains(gid); });
    }

    bool operator==(const GuestRules&) const = default;
};

// The same, as RNICs take it.
inline rnic::GuestAdmission admission_of(const GuestRules& rules) {
    return {.network = rules.network,
            .allows = [rules](const rnic::Gid& gid) { return rules.allows(gid); },
            .announced = rules.announced,
            .pkeys = rules.pkeys};
}

// The name of the network to which the addresses of a VLAN belong, in a guest of `network`: the
// VLAN separates names as it separates packets.  "red" and 5 are "red.5".
inline std::string network_of_vlan(const std::string& network, uint16_t vlan) {
    return vlan == rnic::kNoVlan ? network : network + "." + std::to_string(vlan);
}

struct AddressRules {
    std::optional<uint32_t> gid_index;  // the default source GID, by its index in the host RNIC
    std::vector<Peer> peers;
    std::map<std::string, GuestRules> guests;  // those that are there at first, by name
};

}  // namespace vrdma::uverbs
