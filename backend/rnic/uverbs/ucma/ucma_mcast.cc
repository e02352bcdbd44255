// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Commands of multicast groups.
#include "rnic/uverbs/kernel/rdma_cm.h"
#include "rnic/uverbs/ucma/ucma_file.h"
#include "rnic/uverbs/ucma/ucma_port.h"

namespace vrdma::uverbs {

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
    const auto group = get_sized(request.addr, request.addr_size);
    return group ? join(request, *group, call) : fail(group.error());
}

Result<void> UcmaFile::join(const rdma_ucm_join_mcast& request, const SocketAddress& group,
                            Call& call) {
    const auto id = port_.find(*this, request.id);
    if (!id) {
        return fail(id.error());
    }
    if (!is_multicast(group.ip) || request.join_flags >= RDMA_MC_JOIN_FLAG_RESERVED ||
        !(*id)->local || !(*id)->underlay_local || (*id)->wildcard) {
        return fail(EINVAL);
    }
    if (auto room = port_.check_room_for_group(); !room) {
        return room;
    }
    auto event = charge_event();
    if (!event) {
        return fail(event.error());
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
    kernel.id = (*id)->kernel_id;
    kernel.join_flags = request.join_flags;
    kernel.addr_size = put(to, kernel.addr);
    const auto joined = ask<rdma_ucm_create_id_resp>(*host_, RDMA_USER_CM_CMD_JOIN_MCAST, kernel);
    if (!joined) {
        port_.forget_key(key);
        return fail(joined.error());
    }
    events_.push_back(std::move(*event));
    port_.insert_group(joined->id,
                       {.id = request.id, .key = key, .gid = group.ip, .lease = std::move(*lease)});
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

}  // namespace vrdma::uverbs
