// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Where ids listen: the kernel's id listens at one address, a guest's at all that it has.
#include <algorithm>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {

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
        // As with rdma_listen() of the kernel, the id listens at all addresses, here the guest's.
        SocketAddress any;
        any.ip[10] = any.ip[11] = 0xff;
        if (auto bound = bind_id(request.id, any); !bound) {
            return bound;
        }
    }
    if (what.others.empty()) {
        if (auto others = listen_at_others(what, backlog); !others) {
            return others;
        }
    }
    auto charge = rnic::charge(port_.budgets().connection_backlog,
                               uint64_t{backlog} * (1 + what.others.size()));
    auto listening =
        charge ? uverbs::execute(*host_, RDMA_USER_CM_CMD_LISTEN,
                                 rdma_ucm_listen{.id = what.kernel_id, .backlog = backlog})
               : fail(charge.error());
    if (!listening) {
        destroy_others(what);
        return listening;
    }
    what.backlog = backlog;
    what.backlog_charge = std::move(*charge);
    return {};
}

// The kernel's id of the guest's stays where it is bound, even if the guest has no address there
// any more: requests that come to it are then rejected.  Its other ids come and go.
void UcmaFile::follow_addresses(UcmaId& what) {
    auto places = listen_places(port_.addresses(), *what.local, what.ipv6_only);
    const auto is_at = [](const rnic::Gid& underlay) {
        return [underlay](const auto& entry) { return entry.underlay == underlay; };
    };
    for (const UcmaId::Other& other : what.others) {
        if (std::ranges::none_of(places, is_at(other.underlay))) {
            // The kernel counts the events of the id, which the guest has seen.
            what.past_events += destroy(other.id).value_or(0);
        }
    }
    std::erase_if(what.others, [&](const UcmaId::Other& other) {
        return std::ranges::none_of(places, is_at(other.underlay));
    });
    const auto port = port_of(what.kernel_id);
    for (const ListenPlace& place : places) {
        if (!port || place.underlay == *what.underlay_local ||
            std::ranges::any_of(what.others, is_at(place.underlay))) {
            continue;
        }
        if (const auto other = listen_at(what, place, *port, *what.backlog)) {
            what.others.push_back({place.underlay, *other});
        } else {
            port_.log().warn(
                "{}: the guest listens at port {}, but not at its new address {} ({} of the RNIC): "
                "{}",
                port_.guest(), *port, to_string(place.guest), to_string(place.underlay),
                to_string(other.error()));
        }
    }
    what.places = std::move(places);
    // The guest did not ask for more or fewer.
    what.backlog_charge = {};
    what.backlog_charge = rnic::take(port_.budgets().connection_backlog,
                                     uint64_t{*what.backlog} * (1 + what.others.size()));
}

void UcmaFile::destroy_others(UcmaId& what) {
    for (const UcmaId::Other& other : what.others) {
        (void)destroy(other.id);
    }
    what.others.clear();
}

// The port that the kernel gave to an id.
Result<uint16_t> UcmaFile::port_of(uint32_t id) {
    rdma_ucm_query query{};
    query.id = id;
    const auto route = ask<rdma_ucm_query_route_resp>(*host_, RDMA_USER_CM_CMD_QUERY_ROUTE, query);
    const auto bound = route ? get(route->src_addr) : std::nullopt;
    return bound ? Result<uint16_t>(bound->port) : fail(EADDRNOTAVAIL);
}

// The kernel's id listens at one address only, and the guest may be reached at several.
Result<void> UcmaFile::listen_at_others(UcmaId& what, uint32_t backlog) {
    // The guest may have other addresses now than when it bound the id.
    auto places = port_.places_for(*what.local, what.ipv6_only);
    if (!places) {
        return fail(places.error());
    }
    const auto port = port_of(what.kernel_id);
    if (!port) {
        return fail(port.error());
    }
    for (const ListenPlace& place : *places) {
        if (place.underlay == *what.underlay_local) {
            continue;
        }
        const auto other = listen_at(what, place, *port, backlog);
        if (other) {
            what.others.push_back({place.underlay, *other});
        } else if (!place.needed) {
            port_.log().info(
                "{}: the guest does not listen at port {} of {}, which it shares: {}; peers that "
                "know it by that address do not reach this listener",
                port_.guest(), *port, to_string(place.underlay), to_string(other.error()));
        } else {
            destroy_others(what);
            return fail(other.error());
        }
    }
    what.places = std::move(*places);
    return {};
}

// Makes an id of the kernel's that is like the guest's.
Result<uint32_t> UcmaFile::make_alike(const UcmaId& id) {
    rdma_ucm_create_id create{};
    create.uid = id.key;
    create.ps = id.port_space;
    create.qp_type = static_cast<uint8_t>(id.qp_type);
    const auto made = ask<rdma_ucm_create_id_resp>(*host_, RDMA_USER_CM_CMD_CREATE_ID, create);
    if (!made) {
        return fail(made.error());
    }
    for (const auto& [name, value] : id.options) {
        if (auto set = set_kernel_option(made->id, RDMA_OPTION_ID, name, value); !set) {
            (void)destroy(made->id);
            return fail(set.error());
        }
    }
    return made->id;
}

Result<uint32_t> UcmaFile::listen_at(const UcmaId& id, const ListenPlace& place, uint16_t port,
                                     uint32_t backlog) {
    if (is_hosts_port(place, port)) {
        return fail(EACCES);
    }
    const auto made = make_alike(id);
    if (!made) {
        return fail(made.error());
    }
    rdma_ucm_bind bind{};
    bind.id = *made;
    bind.addr_size = put(port_.in_underlay(place.underlay, port), bind.addr);
    auto done = uverbs::execute(*host_, RDMA_USER_CM_CMD_BIND, bind);
    if (done) {
        done = uverbs::execute(*host_, RDMA_USER_CM_CMD_LISTEN,
                               rdma_ucm_listen{.id = *made, .backlog = backlog});
    }
    if (!done) {
        (void)destroy(*made);
        return fail(done.error());
    }
    return made;
}

}  // namespace vrdma::uverbs
