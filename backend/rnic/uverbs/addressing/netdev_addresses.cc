// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/netdev_addresses.h"

#include <ifaddrs.h>

#include <memory>
#include <optional>

#include "rnic/uverbs/addressing/socket_address.h"

namespace vrdma::uverbs {

HostGids addresses_of_netdev(const std::string& netdev) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return {};
    }
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    std::vector<HostGid> gids;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        const auto address = netdev == entry->ifa_name && entry->ifa_addr != nullptr
                                 ? get(entry->ifa_addr)
                                 : std::nullopt;
        if (address && gids.size() < HostGids::kNameable) {
            gids.push_back({static_cast<uint8_t>(gids.size()), address->ip, netdev});
        }
    }
    return HostGids(std::move(gids));
}

}  // namespace vrdma::uverbs
