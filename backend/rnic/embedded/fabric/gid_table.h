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

// Tells which port has a GID. The table changes in a Pause only.
class GidTable {
  public:
    void add(const rnic::Gid& gid, PortContext& port);
    void remove(const rnic::Gid& gid, PortContext& port);

    // Null when no port has the GID, and when several have it: guests choose their own addresses,
    // so a duplicate must not decide by itself who gets the messages.
    PortContext* find(const rnic::Gid& gid) const;

  private:
    struct Owner {
        PortContext* port;
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
