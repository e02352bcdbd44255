// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "rnic/attributes.h"

namespace vrdma::embedded {

struct PortState;

// Which port has a GID.  Changed in a Pause only.
class AddressMap {
  public:
    void add(const rnic::Gid& gid, PortState& port);
    void remove(const rnic::Gid& gid, PortState& port);

    // Null when no port has it, and when several do: guests choose their own
    // addresses, so a duplicate must not decide by itself who gets the messages.
    PortState* find(const rnic::Gid& gid) const;

  private:
    struct Owner {
        PortState* port;
        uint32_t entries;  // of the port's table, which may hold a GID more than once
    };
    struct Hash {
        size_t operator()(const rnic::Gid& gid) const {
            uint64_t words[2];
            std::memcpy(words, gid.data(), sizeof(words));
            return (words[0] * 0x9e3779b97f4a7c15u) ^ words[1];
        }
    };
    std::unordered_map<rnic::Gid, std::vector<Owner>, Hash> owners_;
};

}  // namespace vrdma::embedded
