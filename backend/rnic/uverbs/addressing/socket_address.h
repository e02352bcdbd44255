// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Socket addresses, and the GIDs that they are.
#pragma once

#include <rdma/rdma_user_cm.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <optional>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::uverbs {

struct SocketAddress {
    bool ipv6 = false;  // the structure is IPv6's; `ip` may be IPv4 all the same
    rnic::Gid ip{};     // IPv4 addresses are mapped, ::ffff:a.b.c.d
    uint16_t port = 0;
    uint32_t scope_id = 0;  // the link of a link-local address
};

// A GID and a port as a socket address of the GID's own family.
SocketAddress socket_address(const rnic::Gid& ip, uint16_t port, uint32_t scope_id = 0);

// Reads a structure of its family's size.  No value for other families than AF_INET and AF_INET6.
std::optional<SocketAddress> get(const sockaddr* from);
inline std::optional<SocketAddress> get(const __kernel_sockaddr_storage& storage) {
    return get(reinterpret_cast<const sockaddr*>(&storage));
}
// In the connection manager's commands a field of this type has room for both families.
inline std::optional<SocketAddress> get(const sockaddr_in6& field) {
    return get(reinterpret_cast<const sockaddr*>(&field));
}

// Reads a structure that has its size beside it.  EAFNOSUPPORT for another family than AF_INET and
// AF_INET6: AF_IB, which names ports by GID and service id, is not forwarded, and librdmacm does
// without when binding to it fails.  EINVAL for another size than the family's.
Result<SocketAddress> get_sized(const __kernel_sockaddr_storage& storage, uint16_t size);

// How many bytes the structure of the address's family has.
uint16_t size_of(const SocketAddress& address);

// Writes the structure of the address's family.  Returns its size, which the kernel wants to have
// beside it.
uint16_t put(const SocketAddress& address, __kernel_sockaddr_storage& storage);
inline void put(const SocketAddress& address, sockaddr_in6& field) {
    __kernel_sockaddr_storage storage{};
    put(address, storage);
    std::memcpy(&field, &storage, sizeof(field));
}

}  // namespace vrdma::uverbs
