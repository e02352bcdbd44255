// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/gid_table.h"

#include <algorithm>

#include "rnic/embedded/fabric/vlan.h"

namespace vrdma::embedded {

GidTable::Address GidTable::address(const rnic::Gid& gid, Segment segment) {
    return {gid, segment.network, is_untagged(segment.vlan) ? rnic::kNoVlan : segment.vlan};
}

PortContext& GidTable::add_at(const rnic::Gid& gid, Segment segment, PortContext& port,
                              uint64_t claim) {
    const uint32_t zero = segment.vlan == 0 ? 1 : 0;
    auto& owners = owners_[address(gid, segment)];
    for (Owner& owner : owners) {
        if (owner.port == &port) {
            ++owner.entries;
            owner.zero_entries += zero;
            return *owners.front().port;
        }
    }
    const auto next = std::ranges::upper_bound(owners, claim, {}, &Owner::claim);
    owners.insert(next, {&port, 1, zero, claim});
    last_claim_ = std::max(last_claim_, claim);
    return *owners.front().port;
}

uint64_t GidTable::claim_of(const rnic::Gid& gid, Segment segment, const PortContext& port) const {
    const auto it = owners_.find(address(gid, segment));
    if (it == owners_.end()) {
        return 0;
    }
    const auto owner = std::ranges::find(it->second, &port, &Owner::port);
    return owner != it->second.end() ? owner->claim : 0;
}

void GidTable::remove(const rnic::Gid& gid, Segment segment, PortContext& port) {
    const auto it = owners_.find(address(gid, segment));
    if (it == owners_.end()) {
        return;
    }
    for (Owner& owner : it->second) {
        if (owner.port == &port) {
            --owner.entries;
            owner.zero_entries -= segment.vlan == 0 ? 1 : 0;
        }
    }
    std::erase_if(it->second, [](const Owner& owner) { return owner.entries == 0; });
    if (it->second.empty()) {
        owners_.erase(it);
    }
}

GidTable::Place GidTable::find(const rnic::Gid& gid, Segment segment) const {
    const auto it = owners_.find(address(gid, segment));
    if (it == owners_.end()) {
        return {};
    }
    const Owner& owner = it->second.front();
    // A port that has the address under one name only takes the frame under that name.
    const bool has_none = owner.entries != owner.zero_entries;
    const bool has_zero = owner.zero_entries != 0;
    if (is_untagged(segment.vlan)) {
        const bool zero = segment.vlan == 0 ? has_zero : !has_none;
        return {owner.port, zero ? uint16_t{0} : rnic::kNoVlan};
    }
    return {owner.port, segment.vlan};
}

}  // namespace vrdma::embedded
