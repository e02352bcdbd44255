// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "rnic/attributes.h"

namespace vrdma::embedded {

class PortContext;  // known here by its address only

// Where a GID means something: in a network of the operator's, and there in a VLAN.
struct Segment {
    uint32_t network = 0;
    uint16_t vlan = rnic::kNoVlan;
};

// Tells which port has a GID in a segment: each is a network of its own, in which the same
// addresses mean other ports. Guests choose their addresses, so the first port that claims one has
// it until it lets go; then the next one does. The table changes in a Pause only.
class GidTable {
  public:
    // The port, and the VLAN as the port knows it: kNoVlan and 0 are one network with two names.
    struct Place {
        PortContext* port = nullptr;
        uint16_t vlan = rnic::kNoVlan;
    };

    // Answers who has the address now: the port itself, or an earlier one.
    PortContext& add(const rnic::Gid& gid, Segment segment, PortContext& port) {
        return add_at(gid, segment, port, last_claim_ + 1);
    }
    // As add(), with the number that the claim had in another process.
    PortContext& add_at(const rnic::Gid& gid, Segment segment, PortContext& port, uint64_t claim);
    // The number of the port's claim: greater than those of all earlier claims. 0: there is none.
    uint64_t claim_of(const rnic::Gid& gid, Segment segment, const PortContext& port) const;
    void remove(const rnic::Gid& gid, Segment segment, PortContext& port);

    // Without a port when none has the GID there.
    Place find(const rnic::Gid& gid, Segment segment) const;

  private:
    // The VLAN of all that is untagged is kNoVlan.
    struct Address {
        rnic::Gid gid;
        uint32_t network;
        uint16_t vlan;
        bool operator==(const Address&) const = default;
    };
    static Address address(const rnic::Gid& gid, Segment segment);
    struct Owner {
        PortContext* port;
        // How many entries the port has: its table may hold a GID more than once.
        uint32_t entries;
        uint32_t zero_entries;  // those of VLAN 0
        uint64_t claim;
    };
    struct Hash {
        size_t operator()(const Address& address) const {
            uint64_t words[2];
            std::memcpy(words, address.gid.data(), sizeof(words));
            return ((words[0] + address.vlan + (uint64_t{address.network} << 16)) *
                    0x9e3779b97f4a7c15u) ^
                   words[1];
        }
    };
    std::unordered_map<Address, std::vector<Owner>, Hash> owners_;  // in the order of their claims
    uint64_t last_claim_ = 0;
};

}  // namespace vrdma::embedded
