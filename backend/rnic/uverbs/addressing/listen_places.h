// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Where a guest's listener listens.
#pragma once

#include <cstdint>
#include <vector>

#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/addressing/socket_address.h"

namespace vrdma::uverbs {

// A GID of the host RNIC, and the address of the guest that others reach there.
struct ListenPlace {
    // The unspecified address while the guest has none that is reached here.
    rnic::Gid guest{};
    rnic::Gid underlay{};
    bool shared = false;  // others have the underlay GID too, and with it its ports
    bool needed = true;   // some address of the guest is not reached without this place
};

// The places of a listener at `local`: an address of the guest, or the unspecified address.  The
// latter stands for all addresses that the guest has now, as with sockets: those of its family, or
// those of both families for IPv6 without `ipv6_only`.  It has a place also while the guest has no
// address yet.  Empty when the guest has no such address, or the host RNIC no GID for it.
//
// No two places have the same underlay GID.  Where several addresses of the guest share one, the
// place has the address that is the underlay GID itself, or else one of the same family, or else
// the first.  Shared places are the last.
std::vector<ListenPlace> listen_places(GuestAddresses& addresses, const SocketAddress& local,
                                       bool ipv6_only);

// Whether the port is the host's to give.  It is when the guest shares the address with the host
// and the port is below 1024, where privileged services are (net.ipv4.ip_unprivileged_port_start).
bool is_hosts_port(const ListenPlace& place, uint16_t port);

}  // namespace vrdma::uverbs
