// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <netinet/in.h>

#include "rnic/uverbs/addressing/gid.h"
#include "rnic/uverbs/addressing/socket_address.h"

namespace vrdma::uverbs {

SocketAddress socket_address(const rnic::Gid& ip, uint16_t port, uint32_t scope_id) {
    return {.ipv6 = scope_of(ip) != GidScope::kIpv4, .ip = ip, .port = port, .scope_id = scope_id};
}

std::optional<SocketAddress> get(const sockaddr* from) {
    SocketAddress result;
    sockaddr family;
    std::memcpy(&family, from, sizeof(family));
    if (family.sa_family == AF_INET) {
        sockaddr_in address;
        std::memcpy(&address, from, sizeof(address));
        result.ip[10] = result.ip[11] = 0xff;
        std::memcpy(result.ip.data() + kIpv4Offset, &address.sin_addr, sizeof(in_addr));
        result.port = ntohs(address.sin_port);
        return result;
    }
    if (family.sa_family == AF_INET6) {
        sockaddr_in6 address;
        std::memcpy(&address, from, sizeof(address));
        result.ipv6 = true;
        std::memcpy(result.ip.data(), &address.sin6_addr, sizeof(in6_addr));
        result.port = ntohs(address.sin6_port);
        result.scope_id = address.sin6_scope_id;
        return result;
    }
    return std::nullopt;
}

Result<SocketAddress> get_sized(const __kernel_sockaddr_storage& storage, uint16_t size) {
    const auto address = get(storage);
    if (!address) {
        return fail(EAFNOSUPPORT);
    }
    if (size != size_of(*address)) {
        return fail(EINVAL);
    }
    return *address;
}

uint16_t size_of(const SocketAddress& address) {
    return address.ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

uint16_t put(const SocketAddress& from, __kernel_sockaddr_storage& storage) {
    if (!from.ipv6) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(from.port);
        std::memcpy(&address.sin_addr, from.ip.data() + kIpv4Offset, sizeof(in_addr));
        std::memcpy(&storage, &address, sizeof(address));
        return sizeof(address);
    }
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(from.port);
    address.sin6_scope_id = from.scope_id;
    std::memcpy(&address.sin6_addr, from.ip.data(), sizeof(in6_addr));
    std::memcpy(&storage, &address, sizeof(address));
    return sizeof(address);
}

}  // namespace vrdma::uverbs
