// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/addressing/netdev_addresses.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

namespace vrdma::uverbs {
namespace {

constexpr size_t kMaxAddresses = 256;  // the index has 8 bits
constexpr size_t kIpv4Offset = 12;     // of ::ffff:a.b.c.d, RFC 4291, 2.5.5.2

std::optional<rnic::Gid> gid_of(const sockaddr* address) {
    rnic::Gid gid{};
    if (address == nullptr) {
        return std::nullopt;
    }
    if (address->sa_family == AF_INET) {
        sockaddr_in ipv4;
        std::memcpy(&ipv4, address, sizeof(ipv4));
        gid[10] = gid[11] = 0xff;
        std::memcpy(gid.data() + kIpv4Offset, &ipv4.sin_addr, sizeof(ipv4.sin_addr));
        return gid;
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 ipv6;
        std::memcpy(&ipv6, address, sizeof(ipv6));
        std::memcpy(gid.data(), &ipv6.sin6_addr, sizeof(ipv6.sin6_addr));
        return gid;
    }
    return std::nullopt;
}

}  // namespace

HostGids addresses_of_netdev(const std::string& netdev) {
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return {};
    }
    const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
    std::vector<HostGid> gids;
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        const auto gid = netdev == entry->ifa_name ? gid_of(entry->ifa_addr) : std::nullopt;
        if (gid && gids.size() < kMaxAddresses) {
            gids.push_back({static_cast<uint8_t>(gids.size()), *gid, netdev});
        }
    }
    return HostGids(std::move(gids));
}

}  // namespace vrdma::uverbs
