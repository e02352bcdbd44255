// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands with addresses: where ids are bound, and whom they reach.
#include <utility>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {
namespace {

// The kernel's rdma_cm takes a loopback address for the unspecified one of its family
// (cma_any_addr()): libfabric's servers bind to "localhost".
SocketAddress without_loopback(SocketAddress address) {
    if (is_loopback(address.ip)) {
        address.ip = {};
        if (!address.ipv6) {
            address.ip[10] = address.ip[11] = 0xff;
        }
    }
    return address;
}

}  // namespace

Result<void> UcmaFile::bind_ip(const rdma_ucm_bind_ip& request, Call&) {
    const auto local = get(request.addr);
    return local ? bind_id(request.id, *local) : fail(EAFNOSUPPORT);
}

Result<void> UcmaFile::bind(const rdma_ucm_bind& request, Call&) {
    if (request.reserved != 0) {
        return fail(EINVAL);
    }
    const auto local = get_sized(request.addr, request.addr_size);
    return local ? bind_id(request.id, *local) : fail(local.error());
}

Result<void> UcmaFile::bind_id(uint32_t id, const SocketAddress& address) {
    const SocketAddress local = without_loopback(address);
    const auto found = port_.find(*this, id);
    if (!found) {
        return fail(found.error());
    }
    UcmaId& what = **found;
    if (what.local) {
        return fail(EINVAL);
    }
    auto places = port_.places_for(local, what.ipv6_only);
    if (!places) {
        return fail(places.error());
    }
    if (auto allowed = port_.check_port(places->front(), local.port); !allowed) {
        return allowed;
    }
    rdma_ucm_bind kernel{};
    kernel.id = id;
    kernel.addr_size = put(port_.in_underlay(places->front().underlay, local.port), kernel.addr);
    if (auto bound = uverbs::execute(*host_, RDMA_USER_CM_CMD_BIND, kernel); !bound) {
        return bound;
    }
    what.local = local;
    what.underlay_local = places->front().underlay;
    what.wildcard = is_zero(local.ip);
    what.places = std::move(*places);
    return {};
}

Result<void> UcmaFile::resolve_ip(const rdma_ucm_resolve_ip& request, Call&) {
    const auto source = get(request.src_addr);
    const auto destination = get(request.dst_addr);
    if (!destination || (!source && request.src_addr.sin6_family != AF_UNSPEC)) {
        return fail(EAFNOSUPPORT);
    }
    return resolve(request.id, source, *destination, request.timeout_ms);
}

Result<void> UcmaFile::resolve_addr(const rdma_ucm_resolve_addr& request, Call&) {
    if (request.reserved != 0) {
        return fail(EINVAL);
    }
    std::optional<SocketAddress> source;
    if (request.src_size != 0) {
        const auto given = get_sized(request.src_addr, request.src_size);
        if (!given) {
            return fail(given.error());
        }
        source = *given;
    }
    const auto destination = get_sized(request.dst_addr, request.dst_size);
    if (!destination) {
        return fail(destination.error());
    }
    return resolve(request.id, source, *destination, request.timeout_ms);
}

Result<UcmaFile::Path> UcmaFile::path(const rnic::Gid& source, const rnic::Gid& destination) {
    GuestAddresses& addresses = port_.addresses();
    const auto found = is_multicast(destination) ? addresses.path_to_group(source, destination)
                                                 : addresses.path(source, destination);
    return found ? Result<Path>(Path{source, found->sgid, found->dgid, found->shared})
                 : fail(found.error());
}

// The path from the address that the id is bound to, or else from `source`, or else from the
// address of the guest that fits.
Result<UcmaFile::Path> UcmaFile::path_of(const UcmaId& id,
                                         const std::optional<SocketAddress>& source,
                                         const SocketAddress& destination) {
    if (id.local && !id.wildcard) {
        return path(id.local->ip, destination.ip);
    }
    if (!id.local && source && !is_zero(without_loopback(*source).ip)) {
        return path(source->ip, destination.ip);
    }
    const auto fitting = port_.addresses().source_for(destination.ip);
    return fitting ? path(*fitting, destination.ip) : fail(fitting.error());
}

Result<void> UcmaFile::resolve(uint32_t id, const std::optional<SocketAddress>& source,
                               const SocketAddress& destination, uint32_t timeout_ms) {
    const auto found = port_.find(*this, id);
    if (!found) {
        return fail(found.error());
    }
    UcmaId& what = **found;
    const auto path = path_of(what, source, destination);
    if (!path) {
        return fail(path.error());
    }
    uint16_t port = what.local || !source ? 0 : source->port;
    if (what.underlay_local && *what.underlay_local != path->underlay_source) {
        // Where the guest bound the id says nothing about the underlay GID.  The kernel's ids stay
        // where they are bound, so another one takes the place.
        if (what.remote || what.backlog) {
            return fail(EADDRNOTAVAIL);
        }
        port = what.local->port;
        const auto made = make_alike(what);
        if (!made) {
            return fail(made.error());
        }
        what.retired.push_back(std::exchange(what.kernel_id, *made));
        what.underlay_local.reset();
    }
    const ListenPlace place{path->source, path->underlay_source, path->shared};
    if (auto allowed = port_.check_port(place, port); !allowed) {
        return allowed;
    }
    rdma_ucm_resolve_addr kernel{};
    kernel.id = what.kernel_id;
    kernel.timeout_ms = timeout_ms;
    kernel.src_size = put(port_.in_underlay(path->underlay_source, port), kernel.src_addr);
    SocketAddress to = port_.in_underlay(path->underlay_destination, destination.port);
    if (to.ipv6 && scope_of(path->underlay_source) == GidScope::kIpv6LinkLocal) {
        to.scope_id = port_.in_underlay(path->underlay_source, 0).scope_id;
    }
    kernel.dst_size = put(to, kernel.dst_addr);
    auto event = charge_event();
    if (!event) {
        return fail(event.error());
    }
    if (auto begun = uverbs::execute(*host_, RDMA_USER_CM_CMD_RESOLVE_ADDR, kernel); !begun) {
        return begun;
    }
    events_.push_back(std::move(*event));
    what.local = SocketAddress{
        .ipv6 = destination.ipv6, .ip = path->source, .port = 0, .scope_id = destination.scope_id};
    what.remote = destination;
    what.underlay_local = path->underlay_source;
    what.underlay_remote = path->underlay_destination;
    what.wildcard = false;
    // The kernel has bound the id by now.
    if (const auto bound = port_of(what.kernel_id)) {
        what.asking = port_.addresses().remember({path->underlay_source, *bound, what.port_space},
                                                 {path->source, destination.ip});
    }
    return {};
}

}  // namespace vrdma::uverbs
