// SPDX-License-Identifier: Apache-2.0
// Commands with addresses: where ids are bound, whom they reach, where they listen.
#include <netinet/in.h>

#include <algorithm>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {
namespace {

size_t size_of(const SocketAddress& address) {
    return address.ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

// An address with its size beside it.  AF_IB, which names ports by GID and service id, is not
// forwarded: librdmacm does without when binding to it fails.
Result<SocketAddress> sized(const __kernel_sockaddr_storage& storage, uint16_t size) {
    const auto address = get(storage);
    if (!address) {
        return fail(EAFNOSUPPORT);
    }
    if (size != size_of(*address)) {
        return fail(EINVAL);
    }
    return *address;
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
    const auto local = sized(request.addr, request.addr_size);
    return local ? bind_id(request.id, *local) : fail(local.error());
}

Result<void> UcmaFile::bind_id(uint32_t id, const SocketAddress& local) {
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
        const auto given = sized(request.src_addr, request.src_size);
        if (!given) {
            return fail(given.error());
        }
        source = *given;
    }
    const auto destination = sized(request.dst_addr, request.dst_size);
    if (!destination) {
        return fail(destination.error());
    }
    return resolve(request.id, source, *destination, request.timeout_ms);
}

Result<UcmaFile::Path> UcmaFile::path(const rnic::Gid& source, const rnic::Gid& destination) {
    GuestAddresses& addresses = port_.addresses();
    const auto found = is_multicast(destination) ? addresses.path_to_group(source, destination)
                                                 : addresses.path(source, destination);
    return found ? Result<Path>(Path{source, found->sgid, found->dgid}) : fail(found.error());
}

// From where the id is bound, or `source`, or the address of the guest that fits.
Result<UcmaFile::Path> UcmaFile::path_of(const UcmaId& id,
                                         const std::optional<SocketAddress>& source,
                                         const SocketAddress& destination) {
    if (id.local && !id.wildcard) {
        return path(id.local->ip, destination.ip);
    }
    if (!id.local && source && !is_zero(source->ip)) {
        return path(source->ip, destination.ip);
    }
    if (!id.wildcard) {
        const auto fitting = port_.addresses().source_for(destination.ip);
        return fitting ? path(*fitting, destination.ip) : fail(fitting.error());
    }
    // The kernel's id has an address already: one of the guest's that has the same.
    for (const ListenPlace& place : id.places) {
        if (place.underlay == *id.underlay_local) {
            return path(place.guest, destination.ip);
        }
    }
    return fail(EADDRNOTAVAIL);
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
    // One that is bound stays where it is.
    if (what.underlay_local && *what.underlay_local != path->underlay_source) {
        return fail(EADDRNOTAVAIL);
    }
    const uint16_t port = what.local || !source ? 0 : source->port;
    if (auto allowed = port_.check_port({path->source, path->underlay_source}, port); !allowed) {
        return allowed;
    }
    rdma_ucm_resolve_addr kernel{};
    kernel.id = id;
    kernel.timeout_ms = timeout_ms;
    kernel.src_size = put(port_.in_underlay(path->underlay_source, port), kernel.src_addr);
    SocketAddress to = port_.in_underlay(path->underlay_destination, destination.port);
    if (to.ipv6 && scope_of(path->underlay_source) == GidScope::kIpv6LinkLocal) {
        to.scope_id = port_.in_underlay(path->underlay_source, 0).scope_id;
    }
    kernel.dst_size = put(to, kernel.dst_addr);
    if (auto begun = uverbs::execute(*host_, RDMA_USER_CM_CMD_RESOLVE_ADDR, kernel); !begun) {
        return begun;
    }
    what.local = SocketAddress{
        .ipv6 = destination.ipv6, .ip = path->source, .port = 0, .scope_id = destination.scope_id};
    what.remote = destination;
    what.underlay_local = path->underlay_source;
    what.underlay_remote = path->underlay_destination;
    what.wildcard = false;
    return {};
}

Result<void> UcmaFile::join_ip_mcast(const rdma_ucm_join_ip_mcast& request, Call& call) {
    const auto group = get(request.addr);
    if (!group) {
        return fail(EAFNOSUPPORT);
    }
    rdma_ucm_join_mcast same{};
    same.uid = request.uid;
    same.id = request.id;
    same.join_flags = RDMA_MC_JOIN_FLAG_FULLMEMBER;
    return join(same, *group, call);
}

Result<void> UcmaFile::join_mcast(const rdma_ucm_join_mcast& request, Call& call) {
    const auto group = sized(request.addr, request.addr_size);
    return group ? join(request, *group, call) : fail(group.error());
}

Result<void> UcmaFile::join(const rdma_ucm_join_mcast& request, const SocketAddress& group,
                            Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    if (!is_multicast(group.ip) || request.join_flags >= RDMA_MC_JOIN_FLAG_RESERVED ||
        !(*id)->local || (*id)->wildcard) {
        return fail(EINVAL);
    }
    if (auto room = port_.check_room_for_group(); !room) {
        return room;
    }
    auto lease = port_.addresses().use_group(group.ip);
    if (!lease) {
        return fail(lease.error());
    }
    const uint64_t key = port_.new_key({.id = request.id, .multicast = request.uid});
    SocketAddress to = group;
    to.scope_id = port_.in_underlay(*(*id)->underlay_local, 0).scope_id;
    rdma_ucm_join_mcast kernel{};
    kernel.uid = key;
    kernel.id = request.id;
    kernel.join_flags = request.join_flags;
    kernel.addr_size = put(to, kernel.addr);
    const auto joined = ask<rdma_ucm_create_id_resp>(*host_, RDMA_USER_CM_CMD_JOIN_MCAST, kernel);
    if (!joined) {
        port_.forget_key(key);
        return fail(joined.error());
    }
    port_.insert_group(joined->id, {.id = request.id, .key = key, .lease = std::move(*lease)});
    answer(call, *joined);
    return {};
}

Result<void> UcmaFile::leave_mcast(const rdma_ucm_destroy_id& request, Call& call) {
    const UcmaPort::Group* group = port_.find_group(request.id);
    if (group == nullptr) {
        return fail(ENOENT);
    }
    if (auto id = port_.find(*this, group->id); !id) {
        return fail(id.error());
    }
    rdma_ucm_destroy_id kernel{};
    kernel.id = request.id;
    const auto left = ask<rdma_ucm_destroy_id_resp>(*host_, RDMA_USER_CM_CMD_LEAVE_MCAST, kernel);
    port_.erase_group(request.id);
    if (!left) {
        return fail(left.error());
    }
    answer(call, *left);
    return {};
}

Result<void> UcmaFile::listen(const rdma_ucm_listen& request, Call&) {
    const auto found = port_.find(*this, request.id);
    if (!found) {
        return fail(found.error());
    }
    UcmaId& what = **found;
    const uint32_t backlog = request.backlog == 0
                                 ? UcmaPort::kMaxBacklog
                                 : std::min(request.backlog, UcmaPort::kMaxBacklog);
    if (!what.local) {
        // As rdma_listen() of the kernel does it, of the addresses that are the guest's.
        SocketAddress any;
        any.ip[10] = any.ip[11] = 0xff;
        if (auto bound = bind_id(request.id, any); !bound) {
            return bound;
        }
    }
    if (what.wildcard && what.others.empty()) {
        if (auto others = listen_at_others(request.id, what, backlog); !others) {
            return others;
        }
    }
    auto listening = uverbs::execute(*host_, RDMA_USER_CM_CMD_LISTEN,
                                     rdma_ucm_listen{.id = request.id, .backlog = backlog});
    if (!listening) {
        for (const uint32_t other : what.others) {
            (void)destroy(other);
        }
        what.others.clear();
    }
    return listening;
}

// The kernel's id listens at one address only, and the guest may have several.
Result<void> UcmaFile::listen_at_others(uint32_t id, UcmaId& what, uint32_t backlog) {
    // Those that the guest has now.
    auto places = port_.places_for(*what.local, what.ipv6_only);
    if (!places) {
        return fail(places.error());
    }
    rdma_ucm_query query{};
    query.id = id;
    const auto route = ask<rdma_ucm_query_route_resp>(*host_, RDMA_USER_CM_CMD_QUERY_ROUTE, query);
    const auto bound = route ? get(route->src_addr) : std::nullopt;
    if (!bound) {
        return fail(EADDRNOTAVAIL);
    }
    for (const ListenPlace& place : *places) {
        if (place.underlay == *what.underlay_local) {
            continue;
        }
        const auto other = listen_at(what, place, bound->port, backlog);
        if (!other) {
            for (const uint32_t made : what.others) {
                (void)destroy(made);
            }
            what.others.clear();
            return fail(other.error());
        }
        what.others.push_back(*other);
    }
    what.places = std::move(*places);
    return {};
}

Result<uint32_t> UcmaFile::listen_at(const UcmaId& id, const ListenPlace& place, uint16_t port,
                                     uint32_t backlog) {
    if (auto allowed = port_.check_port(place, port); !allowed) {
        return fail(allowed.error());
    }
    rdma_ucm_create_id create{};
    create.uid = id.key;
    create.ps = id.port_space;
    create.qp_type = id.qp_type;
    const auto made = ask<rdma_ucm_create_id_resp>(*host_, RDMA_USER_CM_CMD_CREATE_ID, create);
    if (!made) {
        return fail(made.error());
    }
    const auto done = [&]() -> Result<void> {
        for (const auto& [name, value] : id.options) {
            if (auto set = set_kernel_option(made->id, RDMA_OPTION_ID, name, value); !set) {
                return set;
            }
        }
        rdma_ucm_bind bind{};
        bind.id = made->id;
        bind.addr_size = put(port_.in_underlay(place.underlay, port), bind.addr);
        if (auto bound = uverbs::execute(*host_, RDMA_USER_CM_CMD_BIND, bind); !bound) {
            return bound;
        }
        return uverbs::execute(*host_, RDMA_USER_CM_CMD_LISTEN,
                               rdma_ucm_listen{.id = made->id, .backlog = backlog});
    }();
    if (!done) {
        (void)destroy(made->id);
        return fail(done.error());
    }
    return made->id;
}

}  // namespace vrdma::uverbs
