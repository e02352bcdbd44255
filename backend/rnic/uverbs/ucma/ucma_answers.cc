// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Answers that tell of an id, with the kernel's names replaced by the guest's.
#include <endian.h>
#include <infiniband/ib.h>
#include <infiniband/sa.h>
#include <infiniband/verbs.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <span>

#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

// librdmacm takes two: the path and an alternative.
constexpr size_t kMaxToldPaths = 2;

// Puts the guest's name of an end, with the kernel's port, in place of the kernel's.  An end that
// is not there is left empty.
template <typename Field>
void put_end(const std::optional<SocketAddress>& name, Field& field) {
    const auto kernel = get(field);
    field = {};
    if (name && kernel) {
        SocketAddress shown = *name;
        shown.port = kernel->port;
        put(shown, field);
    }
}

uint16_t size_of_end(const __kernel_sockaddr_storage& storage) {
    const auto address = get(storage);
    return address ? size_of(*address) : 0;
}

// Puts the guest's GID in place of a GID of a path, where the kernel tells one.
template <typename Bytes>
void put_gid(const std::optional<SocketAddress>& name, Bytes&& field) {
    if (std::ranges::all_of(field, [](auto byte) { return static_cast<int>(byte) == 0; })) {
        return;
    }
    const rnic::Gid gid = name ? name->ip : rnic::Gid{};
    std::memcpy(std::ranges::data(field), gid.data(), gid.size());
}

}  // namespace

// Puts the guest's device in place of the kernel's; none as long as the id is bound to no address
// in particular.
template <typename Response>
void UcmaFile::put_device(const UcmaId& id, Response& response) const {
    const bool there = response.node_guid != 0 && !id.wildcard;
    response.node_guid = there ? htobe64(init_.node_guid) : 0;
    response.ibdev_index = there ? init_.ibdev_index : 0;
    response.port_num = there ? rnic::kGuestPort : 0;
}

Result<void> UcmaFile::query_route(const rdma_ucm_query& request, Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    auto route = ask<rdma_ucm_query_route_resp>(*host_, RDMA_USER_CM_CMD_QUERY_ROUTE,
                                                kernels(request, **id));
    if (!route) {
        return fail(route.error());
    }
    put_end((*id)->local, route->src_addr);
    put_end((*id)->remote, route->dst_addr);
    put_device(**id, *route);
    for (ib_user_path_rec& path : route->ib_route) {
        if ((*id)->wildcard) {
            path = {};
        }
        put_gid((*id)->remote, std::span(path.dgid));
        put_gid((*id)->local, std::span(path.sgid));
    }
    answer(call, *route);
    return {};
}

Result<void> UcmaFile::query(const rdma_ucm_query& request, Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    switch (request.option) {
        case RDMA_USER_CM_QUERY_ADDR:
            return query_addr(**id, request, call);
        case RDMA_USER_CM_QUERY_PATH:
            return query_path(**id, request, call);
        case RDMA_USER_CM_QUERY_GID:
            return query_gid(**id, request, call);
        default:
            return fail(EOPNOTSUPP);
    }
}

Result<void> UcmaFile::query_addr(const UcmaId& id, const rdma_ucm_query& request, Call& call) {
    if (call.out.size() < offsetof(rdma_ucm_query_addr_resp, ibdev_index)) {
        return fail(ENOSPC);
    }
    auto addresses =
        ask<rdma_ucm_query_addr_resp>(*host_, RDMA_USER_CM_CMD_QUERY, kernels(request, id));
    if (!addresses) {
        return fail(addresses.error());
    }
    put_end(id.local, addresses->src_addr);
    put_end(id.remote, addresses->dst_addr);
    addresses->src_size = size_of_end(addresses->src_addr);
    addresses->dst_size = size_of_end(addresses->dst_addr);
    put_device(id, *addresses);
    answer(call, *addresses);
    return {};
}

Result<void> UcmaFile::query_path(const UcmaId& id, const rdma_ucm_query& request, Call& call) {
    if (call.out.size() < sizeof(rdma_ucm_query_path_resp)) {
        return fail(ENOSPC);
    }
    // The kernel fills in a path only where there is room for more than that path.
    std::array<std::byte,
               sizeof(rdma_ucm_query_path_resp) + kMaxToldPaths * sizeof(ib_path_rec_data) + 1>
        bytes{};
    rdma_ucm_query kernel = kernels(request, id);
    kernel.response = reinterpret_cast<uintptr_t>(bytes.data());
    if (auto asked = uverbs::execute(*host_, RDMA_USER_CM_CMD_QUERY, kernel, bytes.size());
        !asked) {
        return asked;
    }
    rdma_ucm_query_path_resp head;
    std::memcpy(&head, bytes.data(), sizeof(head));
    const size_t paths = std::min<size_t>(head.num_paths, kMaxToldPaths);
    for (size_t i = 0; i < paths; ++i) {
        const auto record = std::span(bytes).subspan(sizeof(head) + i * sizeof(ib_path_rec_data) +
                                                     offsetof(ib_path_rec_data, path_rec));
        put_gid(id.remote, record.subspan(offsetof(ibv_path_record, dgid), sizeof(rnic::Gid)));
        put_gid(id.local, record.subspan(offsetof(ibv_path_record, sgid), sizeof(rnic::Gid)));
    }
    const size_t length =
        std::min(call.out.size(), sizeof(head) + paths * sizeof(ib_path_rec_data));
    std::memcpy(call.out.data(), bytes.data(), length);
    call.answer.written = length;
    return {};
}

Result<void> UcmaFile::query_gid(const UcmaId& id, const rdma_ucm_query& request, Call& call) {
    if (call.out.size() < offsetof(rdma_ucm_query_addr_resp, ibdev_index)) {
        return fail(ENOSPC);
    }
    auto gids = ask<rdma_ucm_query_addr_resp>(*host_, RDMA_USER_CM_CMD_QUERY, kernels(request, id));
    if (!gids) {
        return fail(gids.error());
    }
    const auto put = [](const std::optional<SocketAddress>& name,
                        __kernel_sockaddr_storage& storage) {
        sockaddr_ib address;
        std::memcpy(&address, &storage, sizeof(address));
        put_gid(name, std::span(address.sib_addr.sib_raw));
        std::memcpy(&storage, &address, sizeof(address));
    };
    put(id.local, gids->src_addr);
    put(id.remote, gids->dst_addr);
    put_device(id, *gids);
    answer(call, *gids);
    return {};
}

// Translates an address vector so that the daemon finds the kernel's again when the guest gives it
// to MODIFY_QP or CREATE_AH.
Result<void> UcmaFile::to_guest(const UcmaId& id, ib_uverbs_ah_attr& attributes) {
    if (!id.local) {
        return fail(EINVAL);
    }
    const auto index = port_.addresses().index_of(id.local->ip);
    if (!index) {
        return fail(EADDRNOTAVAIL);
    }
    rnic::Gid dgid;
    std::ranges::copy(attributes.grh.dgid, dgid.begin());
    if (!is_multicast(dgid)) {
        if (id.remote && id.underlay_remote == dgid) {
            dgid = id.remote->ip;
        } else if (auto name = port_.addresses().name_of(id.local->ip, dgid); name) {
            dgid = *name;
        } else {
            return fail(name.error());
        }
        std::ranges::copy(dgid, attributes.grh.dgid);
    }
    attributes.grh.sgid_index = *index;
    attributes.port_num = rnic::kGuestPort;
    return {};
}

Result<void> UcmaFile::init_qp_attr(const rdma_ucm_init_qp_attr& request, Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    auto attributes =
        ask<ib_uverbs_qp_attr>(*host_, RDMA_USER_CM_CMD_INIT_QP_ATTR, kernels(request, **id));
    if (!attributes) {
        return fail(attributes.error());
    }
    if ((attributes->qp_attr_mask & rnic::kAttrAddressVector) != 0) {
        if (auto done = to_guest(**id, attributes->ah_attr); !done) {
            return done;
        }
    }
    if ((attributes->qp_attr_mask & rnic::kAttrPort) != 0) {
        attributes->port_num = rnic::kGuestPort;
    }
    // MODIFY_QP knows no alternate path.
    attributes->qp_attr_mask &= ~rnic::kAttrAlternatePath;
    attributes->alt_ah_attr = {};
    answer(call, *attributes);
    return {};
}

}  // namespace vrdma::uverbs
