// SPDX-License-Identifier: Apache-2.0
// Socket addresses of the connection manager's commands, and the GIDs that they are.
#pragma once

#include <rdma/rdma_user_cm.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "rnic/attributes.h"

namespace vrdma::uverbs {

struct SocketAddress {
    bool ipv6 = false;  // of the structure; `ip` may be IPv4 all the same
    rnic::Gid ip{};     // IPv4 addresses are mapped, ::ffff:a.b.c.d
    uint16_t port = 0;
    uint32_t scope_id = 0;  // of the link of a link-local address
};

// In the structure of its family.
SocketAddress socket_address(const rnic::Gid& ip, uint16_t port, uint32_t scope_id = 0);

// None for other families than AF_INET and AF_INET6.
std::optional<SocketAddress> get(const __kernel_sockaddr_storage& storage);

// The size of the address, which the kernel wants to have beside it.
uint16_t put(const SocketAddress& address, __kernel_sockaddr_storage& storage);

// The same of the field that has room for both kinds.
inline std::optional<SocketAddress> get(const sockaddr_in6& field) {
    __kernel_sockaddr_storage storage{};
    std::memcpy(&storage, &field, sizeof(field));
    return get(storage);
}
inline void put(const SocketAddress& address, sockaddr_in6& field) {
    __kernel_sockaddr_storage storage{};
    put(address, storage);
    std::memcpy(&field, &storage, sizeof(field));
}

}  // namespace vrdma::uverbs
