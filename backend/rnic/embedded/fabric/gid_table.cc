// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/fabric/gid_table.h"

#include <algorithm>

namespace vrdma::embedded {

void AddressMap::add(const rnic::Gid& gid, PortState& port) {
    auto& owners = owners_[gid];
    for (Owner& owner : owners) {
        if (owner.port == &port) {
            ++owner.entries;
            return;
        }
    }
    owners.push_back({&port, 1});
}

void AddressMap::remove(const rnic::Gid& gid, PortState& port) {
    const auto it = owners_.find(gid);
    if (it == owners_.end()) return;
    for (Owner& owner : it->second) {
        if (owner.port == &port) --owner.entries;
    }
    std::erase_if(it->second, [](const Owner& owner) { return owner.entries == 0; });
    if (it->second.empty()) owners_.erase(it);
}

PortState* AddressMap::find(const rnic::Gid& gid) const {
    const auto it = owners_.find(gid);
    if (it == owners_.end() || it->second.size() != 1) return nullptr;
    return it->second.front().port;
}

}  // namespace vrdma::embedded
