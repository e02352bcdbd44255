// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/gid_table.h"

#include "rnic/embedded/fabric/vlan.h"

namespace vrdma::embedded {

GidTable::Address GidTable::address(const rnic::Gid& gid, uint16_t vlan) {
    return {gid, is_untagged(vlan) ? rnic::kNoVlan : vlan};
}

void GidTable::add(const rnic::Gid& gid, uint16_t vlan, PortContext& port) {
    const uint32_t zero = vlan == 0 ? 1 : 0;
    auto& owners = owners_[address(gid, vlan)];
    for (Owner& owner : owners) {
        if (owner.port == &port) {
            ++owner.entries;
            owner.zero_entries += zero;
            return;
        }
    }
    owners.push_back({&port, 1, zero});
}

void GidTable::remove(const rnic::Gid& gid, uint16_t vlan, PortContext& port) {
    const auto it = owners_.find(address(gid, vlan));
    if (it == owners_.end()) {
        return;
    }
    for (Owner& owner : it->second) {
        if (owner.port == &port) {
            --owner.entries;
            owner.zero_entries -= vlan == 0 ? 1 : 0;
        }
    }
    std::erase_if(it->second, [](const Owner& owner) { return owner.entries == 0; });
    if (it->second.empty()) {
        owners_.erase(it);
    }
}

GidTable::Place GidTable::find(const rnic::Gid& gid, uint16_t vlan) const {
    const auto it = owners_.find(address(gid, vlan));
    if (it == owners_.end() || it->second.size() != 1) {
        return {};
    }
    const Owner& owner = it->second.front();
    // A port that has the address under one name only takes the frame under that name.
    const bool has_none = owner.entries != owner.zero_entries;
    const bool has_zero = owner.zero_entries != 0;
    if (vlan == 0 || vlan == rnic::kNoVlan) {
        const bool zero = vlan == 0 ? has_zero : !has_none;
        return {owner.port, zero ? uint16_t{0} : rnic::kNoVlan};
    }
    return {owner.port, vlan};
}

}  // namespace vrdma::embedded
