// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/qp.h"

#include <infiniband/verbs.h>

#include <algorithm>

#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {
namespace {

// IBTA 1.4, 10.2.4: Q_Keys with this bit are for privileged users.  The kernel would ask
// whether this daemon is one.
constexpr uint32_t kControlledQkey = 0x80000000;

// All that the command without extensions knows.
constexpr uint32_t kQueriedAttributes = (IBV_QP_DEST_QPN << 1) - 1;

std::shared_ptr<SendQueueBell> bell_for(const ContextState& context, uint32_t handle) {
    if (context.port.rnic->vendor.doorbell != Signal::kSystemCall) {
        return nullptr;
    }
    return std::make_shared<SendQueueBell>(context.file, handle);
}

Result<void> check(uint32_t attr_mask, const rnic::QpAttributes& attributes, bool has_addresses) {
    if ((attr_mask & (IBV_QP_ALT_PATH | IBV_QP_PATH_MIG_STATE)) != 0 ||
        ((attr_mask & IBV_QP_AV) != 0 && !has_addresses)) {
        return fail(EOPNOTSUPP);
    }
    if (((attr_mask & IBV_QP_PORT) != 0 && attributes.port != rnic::kGuestPort) ||
        ((attr_mask & IBV_QP_AV) != 0 && attributes.ah.port != rnic::kGuestPort)) {
        return fail(EINVAL);
    }
    if ((attr_mask & IBV_QP_QKEY) != 0 && (attributes.qkey & kControlledQkey) != 0) {
        return fail(EPERM);
    }
    return {};
}

ib_uverbs_qp_dest destination(const rnic::AhAttributes& ah) {
    ib_uverbs_qp_dest dest{};
    std::ranges::copy(ah.dgid, dest.dgid);
    dest.flow_label = ah.flow_label;
    dest.sgid_index = ah.sgid_index;
    dest.hop_limit = ah.hop_limit;
    dest.traffic_class = ah.traffic_class;
    dest.sl = ah.sl;
    dest.static_rate = ah.static_rate;
    dest.is_global = 1;  // RoCE has no other (IBTA 1.4, annex A16)
    dest.port_num = ah.port;
    return dest;
}

// With `ah` for the attributes' own address vector, in the terms of the host's port.
ib_uverbs_modify_qp modify_qp(uint32_t qp_handle, uint32_t attr_mask,
                              const rnic::QpAttributes& attributes, const rnic::AhAttributes& ah,
                              uint8_t host_port) {
    ib_uverbs_modify_qp command{};
    command.dest = destination(ah);
    command.qp_handle = qp_handle;
    command.attr_mask = attr_mask;
    command.qkey = attributes.qkey;
    command.rq_psn = attributes.rq_psn;
    command.sq_psn = attributes.sq_psn;
    command.dest_qp_num = attributes.dest_qp_num;
    command.qp_access_flags = attributes.qp_access_flags;
    command.pkey_index = attributes.pkey_index;
    command.qp_state = attributes.qp_state;
    command.cur_qp_state = attributes.cur_qp_state;
    command.path_mtu = attributes.path_mtu;
    command.path_mig_state = attributes.path_mig_state;
    command.en_sqd_async_notify = attributes.en_sqd_async_notify;
    command.max_rd_atomic = attributes.max_rd_atomic;
    command.max_dest_rd_atomic = attributes.max_dest_rd_atomic;
    command.min_rnr_timer = attributes.min_rnr_timer;
    command.port_num = host_port;
    command.timeout = attributes.timeout;
    command.retry_cnt = attributes.retry_cnt;
    command.rnr_retry = attributes.rnr_retry;
    return command;
}

// Without the address vector and the port, which are the host's.
rnic::QpAttributes qp_attributes(const ib_uverbs_query_qp_resp& kernel) {
    return {
        .qp_state = kernel.qp_state,
        .cur_qp_state = kernel.cur_qp_state,
        .path_mtu = kernel.path_mtu,
        .path_mig_state = kernel.path_mig_state,
        .qkey = kernel.qkey,
        .rq_psn = kernel.rq_psn,
        .sq_psn = kernel.sq_psn,
        .dest_qp_num = kernel.dest_qp_num,
        .qp_access_flags = kernel.qp_access_flags,
        .pkey_index = kernel.pkey_index,
        .sq_draining = kernel.sq_draining,
        .max_rd_atomic = kernel.max_rd_atomic,
        .max_dest_rd_atomic = kernel.max_dest_rd_atomic,
        .min_rnr_timer = kernel.min_rnr_timer,
        .timeout = kernel.timeout,
        .retry_cnt = kernel.retry_cnt,
        .rnr_retry = kernel.rnr_retry,
        .ah = {},
        .cap =
            {
                .max_send_wr = kernel.max_send_wr,
                .max_recv_wr = kernel.max_recv_wr,
                .max_send_sge = kernel.max_send_sge,
                .max_recv_sge = kernel.max_recv_sge,
                .max_inline_data = kernel.max_inline_data,
            },
    };
}

bool ends_sending(uint8_t qp_state) {
    return qp_state == IBV_QPS_RESET || qp_state == IBV_QPS_SQD || qp_state == IBV_QPS_ERR;
}

}  // namespace

Qp::Qp(const ContextState& context, const ib_uverbs_create_qp_resp& kernel, uint32_t guest_handle,
       uint8_t qp_type, Cq& send_cq)
    : object_(context, kernel.qp_handle, "queue pair",
              destroy_with_events<ib_uverbs_destroy_qp, ib_uverbs_destroy_qp_resp,
                                  IB_USER_VERBS_CMD_DESTROY_QP>,
              context.port.rnic->live.queue_pairs),
      qp_num_(kernel.qpn),
      guest_handle_(guest_handle),
      send_cq_(send_cq),
      bell_(bell_for(context, kernel.qp_handle)) {
    context.port.qps.insert(qp_num_, qp_type);
    if (bell_ != nullptr) {
        send_cq_.add(bell_);
        context.port.events.send_queues().insert(guest_handle_, bell_);
    }
}

Qp::~Qp() {
    object_.context().port.qps.erase(qp_num_);
    if (bell_ != nullptr) {
        take_doorbell();
        object_.context().port.events.send_queues().erase(guest_handle_);
        bell_->silence();
        send_cq_.remove(bell_);
    }
    // The kernel does not destroy a queue pair that is attached (uverbs_free_qp).
    for (const auto& [gid, attachment] : attachments_) {
        (void)detach(gid, attachment.lid);
    }
}

// The worker may not have come to what the library posted before the verb that follows.  Natively
// its doorbell is a system call, and the requests are on their way when that returns.
void Qp::take_doorbell() {
    if (bell_ != nullptr) {
        (void)bell_->ring();
    }
}

Result<void> Qp::modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) {
    const ContextState& context = object_.context();
    // Those of iWARP are for the connection manager.
    const bool roce = context.port.rnic->vendor.transport == Transport::kRoce;
    GuestAddresses* addresses = roce ? context.port.addresses.get() : nullptr;
    if (auto allowed = check(attr_mask, attributes, addresses != nullptr); !allowed) {
        return allowed;
    }
    rnic::AhAttributes underlay;
    if ((attr_mask & IBV_QP_AV) != 0) {
        auto path = addresses->underlay(attributes.ah);
        if (!path) {
            return fail(path.error());
        }
        underlay = *path;
    }
    if ((attr_mask & IBV_QP_STATE) != 0 && ends_sending(attributes.qp_state)) {
        take_doorbell();
    }
    const ib_uverbs_modify_qp base =
        modify_qp(object_.handle(), attr_mask, attributes, underlay, context.port.rnic->host_port);
    auto modified =
        context.with_udata(VRDMA_CMD_MODIFY_QP, udata, [&](CommandUdata bytes) -> Result<void> {
            // The command without extensions knows neither private bytes nor rates.
            if (bytes.in.empty() && bytes.out.empty() && (attr_mask & IBV_QP_RATE_LIMIT) == 0) {
                return execute(*context.file, {IB_USER_VERBS_CMD_MODIFY_QP, base});
            }
            ib_uverbs_ex_modify_qp_resp response{};
            const ib_uverbs_ex_modify_qp request{
                .base = base, .rate_limit = attributes.rate_limit, .reserved = 0};
            return execute(
                *context.file,
                UverbsCommand::extended(IB_USER_VERBS_EX_CMD_MODIFY_QP, request, response), bytes);
        });
    if (modified && (attr_mask & IBV_QP_AV) != 0) {
        guest_ah_ = attributes.ah;
    }
    return modified;
}

Result<rnic::QpAttributes> Qp::query() {
    const ContextState& context = object_.context();
    if (auto there = context.usable(); !there) {
        return fail(there.error());
    }
    ib_uverbs_query_qp request{};
    request.qp_handle = object_.handle();
    request.attr_mask = kQueriedAttributes;
    ib_uverbs_query_qp_resp kernel{};
    auto queried = execute(*context.file, {IB_USER_VERBS_CMD_QUERY_QP, request, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    rnic::QpAttributes attributes = qp_attributes(kernel);
    attributes.port = rnic::kGuestPort;
    attributes.ah = guest_ah_;
    return attributes;
}

Result<void> Qp::attach_mcast(const rnic::Gid& gid, uint16_t lid) {
    const ContextState& context = object_.context();
    if (auto there = context.usable(); !there) {
        return there;
    }
    GuestAddresses* addresses = context.port.addresses.get();
    if (addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    auto group = addresses->use_group(gid);
    if (!group) {
        return fail(group.error());
    }
    ib_uverbs_attach_mcast request{};
    std::ranges::copy(gid, request.gid);
    request.qp_handle = object_.handle();
    request.mlid = lid;
    auto attached = execute(*context.file, {IB_USER_VERBS_CMD_ATTACH_MCAST, request});
    if (attached) {
        attachments_.emplace(gid, Attachment{.lid = lid, .group = std::move(*group)});
    }
    return attached;
}

Result<void> Qp::detach(const rnic::Gid& gid, uint16_t lid) {
    ib_uverbs_detach_mcast request{};
    std::ranges::copy(gid, request.gid);
    request.qp_handle = object_.handle();
    request.mlid = lid;
    return execute(*object_.context().file, {IB_USER_VERBS_CMD_DETACH_MCAST, request});
}

// RoCE has no LIDs, but the kernel wants the one again that it got.
Result<void> Qp::detach_mcast(const rnic::Gid& gid, uint16_t) {
    const auto attachment = attachments_.find(gid);
    if (attachment == attachments_.end()) {
        return fail(EINVAL);
    }
    if (auto there = object_.context().usable(); !there) {
        return there;
    }
    auto detached = detach(gid, attachment->second.lid);
    if (detached) {
        attachments_.erase(attachment);
    }
    return detached;
}

}  // namespace vrdma::uverbs
