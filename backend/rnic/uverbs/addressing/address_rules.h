// SPDX-License-Identifier: Apache-2.0
// What the operator says about addresses.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rnic/uverbs/addressing/gid.h"

namespace vrdma::uverbs {

// Where peers are that are not guests of this daemon, or are on another RNIC.
struct Peer {
    std::string network;           // whose guests may reach it
    GidPrefix gid;                 // as the guests name it
    std::optional<rnic::Gid> via;  // the GID of the RNIC that carries it; none: its own GID
};

// What is configured for one guest.
struct GuestRules {
    std::string network;  // guests of different networks do not know each other's GIDs
    // The GIDs that it may use besides link-local ones.  Empty: any.
    std::vector<GidPrefix> gids;
};

struct AddressRules {
    std::optional<uint32_t> gid_index;  // of the host RNIC: the default source GID
    std::vector<Peer> peers;
    std::map<std::string, GuestRules> guests;  // by name; without an entry: GuestRules{}
};

}  // namespace vrdma::uverbs
