// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/gid_table.h"

namespace vrdma::embedded {

void GidTable::add(const rnic::Gid& gid, PortContext& port) {
    auto& owners = owners_[gid];
    for (Owner& owner : owners) {
        if (owner.port == &port) {
            ++owner.entries;
            return;
        }
    }
    owners.push_back({&port, 1});
}

void GidTable::remove(const rnic::Gid& gid, PortContext& port) {
    const auto it = owners_.find(gid);
    if (it == owners_.end()) {
        return;
    }
    for (Owner& owner : it->second) {
        if (owner.port == &port) {
            --owner.entries;
        }
    }
    std::erase_if(it->second, [](const Owner& owner) { return owner.entries == 0; });
    if (it->second.empty()) {
        owners_.erase(it);
    }
}

PortContext* GidTable::find(const rnic::Gid& gid) const {
    const auto it = owners_.find(gid);
    if (it == owners_.end() || it->second.size() != 1) {
        return nullptr;
    }
    return it->second.front().port;
}

}  // namespace vrdma::embedded
