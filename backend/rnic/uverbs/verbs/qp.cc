// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/qp.h"

#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include <algorithm>
#include <limits>

#include "rnic/attributes_state.h"
#include "rnic/uverbs/verbs/kernel_rings.h"
#include "rnic/uverbs/verbs/pd.h"
#include "rnic/uverbs/verbs/srq.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kQpKind{
    .name = "queue pair",
    .destroy = destroy_with_events<ib_uverbs_destroy_qp, ib_uverbs_destroy_qp_resp,
                                   IB_USER_VERBS_CMD_DESTROY_QP>,
    .counter = &rnic::LiveObjects::queue_pairs,
};

// IBTA 1.4, 10.2.4: Q_Keys with this bit are for privileged users.  The kernel would ask whether
// this daemon is one.
constexpr uint32_t kControlledQkey = 0x80000000;

// All attributes that the command without extensions knows.
constexpr uint32_t kQueriedAttributes = (rnic::kAttrDestQpn << 1) - 1;

// The kernel asks whether this daemon may have raw packets and the like; the guest gets no more
// than any user may have.
bool forwarded(uint8_t qp_type, const RnicState& rnic) {
    switch (rnic::QpType{qp_type}) {
        case rnic::QpType::kRc:
            return true;
        case rnic::QpType::kUc:
        case rnic::QpType::kUd:
            return rnic.transport != Transport::kIwarp;
        case rnic::QpType::kXrcInitiator:
            return !rnic.vendor.target_qp.empty();
        default:
            return false;
    }
}

std::shared_ptr<SendQueueBell> bell_for(const ContextState& context, const Cq* send_cq,
                                        uint32_t handle) {
    if (send_cq == nullptr || context.port.rnic->vendor.doorbell != Signal::kSystemCall) {
        return nullptr;
    }
    return std::make_shared<SendQueueBell>(context.file, handle);
}

Result<void> check(uint32_t attr_mask, const rnic::QpAttributes& attributes, Transport transport) {
    if ((attr_mask & (rnic::kAttrAlternatePath | rnic::kAttrPathMigration)) != 0 ||
        ((attr_mask & rnic::kAttrAddressVector) != 0 && transport == Transport::kIwarp)) {
        return fail(EOPNOTSUPP);
    }
    if (((attr_mask & rnic::kAttrPort) != 0 && attributes.port != rnic::kGuestPort) ||
        ((attr_mask & rnic::kAttrAddressVector) != 0 && attributes.ah.port != rnic::kGuestPort)) {
        return fail(EINVAL);
    }
    if ((attr_mask & rnic::kAttrQkey) != 0 && (attributes.qkey & kControlledQkey) != 0) {
        return fail(EPERM);
    }
    return {};
}

bool ends_sending(uint8_t qp_state) {
    const rnic::QpState state{qp_state};
    return state == rnic::QpState::kReset || state == rnic::QpState::kSendQueueDrained ||
           state == rnic::QpState::kError;
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
    dest.dlid = ah.dlid;
    dest.src_path_bits = ah.src_path_bits;
    dest.is_global = ah.has_grh ? 1 : 0;
    dest.port_num = ah.port;
    return dest;
}

// A guest's attributes as the host's port has them: address vector and P_Key.  What `attr_mask`
// does not name has no meaning.
Result<rnic::QpAttributes> on_host(const PortState& port, uint32_t attr_mask,
                                   const rnic::QpAttributes& guest) {
    rnic::QpAttributes host = guest;
    host.ah = {};
    const IbTables* tables = port.rnic->ib_tables.get();
    if ((attr_mask & rnic::kAttrAddressVector) != 0) {
        auto path = tables != nullptr ? Result<rnic::AhAttributes>(tables->host_path(guest.ah))
                                      : port.addresses->underlay(guest.ah);
        if (!path) {
            return fail(path.error());
        }
        host.ah = *path;
    }
    if (tables != nullptr && (attr_mask & rnic::kAttrPkeyIndex) != 0) {
        const auto index = tables->host_pkey_index(port.guest, guest.pkey_index);
        if (!index) {
            return fail(index.error());
        }
        host.pkey_index = *index;
    }
    return host;
}

// The command for attributes as the host's port has them.
ib_uverbs_modify_qp modify_qp(uint32_t qp_handle, uint32_t attr_mask,
                              const rnic::QpAttributes& attributes, uint8_t host_port) {
    ib_uverbs_modify_qp command{};
    command.dest = destination(attributes.ah);
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

// The attributes without the address vector and the port, which are the host's.
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

ib_uverbs_create_qp create_qp(uint32_t guest_handle, const rnic::Context::QpInit& init) {
    ib_uverbs_create_qp request{};
    request.user_handle = guest_handle;
    if (init.pd != nullptr) {
        request.pd_handle = handle_of(*init.pd);
    }
    if (init.send_cq != nullptr) {
        request.send_cq_handle = static_cast<const Cq&>(*init.send_cq).handle();
    }
    if (init.recv_cq != nullptr) {
        request.recv_cq_handle = static_cast<const Cq&>(*init.recv_cq).handle();
    }
    if (init.srq != nullptr) {
        request.is_srq = 1;
        request.srq_handle = static_cast<const Srq&>(*init.srq).handle();
    }
    request.max_send_wr = init.cap.max_send_wr;
    request.max_recv_wr = init.cap.max_recv_wr;
    request.max_send_sge = init.cap.max_send_sge;
    request.max_recv_sge = init.cap.max_recv_sge;
    request.max_inline_data = init.cap.max_inline_data;
    request.sq_sig_all = init.sq_sig_all ? 1 : 0;
    request.qp_type = init.qp_type;
    return request;
}

// The same with flags, which the plain command has not.
ib_uverbs_ex_create_qp create_qp_with_flags(const ib_uverbs_create_qp& plain, uint32_t flags) {
    ib_uverbs_ex_create_qp request{};
    request.user_handle = plain.user_handle;
    request.pd_handle = plain.pd_handle;
    request.send_cq_handle = plain.send_cq_handle;
    request.recv_cq_handle = plain.recv_cq_handle;
    request.srq_handle = plain.srq_handle;
    request.max_send_wr = plain.max_send_wr;
    request.max_recv_wr = plain.max_recv_wr;
    request.max_send_sge = plain.max_send_sge;
    request.max_recv_sge = plain.max_recv_sge;
    request.max_inline_data = plain.max_inline_data;
    request.sq_sig_all = plain.sq_sig_all;
    request.qp_type = plain.qp_type;
    request.is_srq = plain.is_srq;
    request.create_flags = flags;
    return request;
}

// The other flags are for raw packets and for the kernel's own users.
constexpr uint32_t kForwardedFlags = IB_UVERBS_QP_CREATE_BLOCK_MULTICAST_LOOPBACK;

rnic::QpCapabilities capabilities(const ib_uverbs_create_qp_resp& kernel) {
    return {
        .max_send_wr = kernel.max_send_wr,
        .max_recv_wr = kernel.max_recv_wr,
        .max_send_sge = kernel.max_send_sge,
        .max_recv_sge = kernel.max_recv_sge,
        .max_inline_data = kernel.max_inline_data,
    };
}

}  // namespace

Result<std::unique_ptr<rnic::QueuePair>> Qp::create(const ContextState& context,
                                                    uint32_t guest_handle,
                                                    rnic::Context::QpInit& init,
                                                    rnic::Udata& udata) {
    if (guest_handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    if (!forwarded(init.qp_type, *context.port.rnic) ||
        (init.create_flags & ~kForwardedFlags) != 0) {
        return fail(EOPNOTSUPP);
    }
    const ib_uverbs_create_qp plain = create_qp(guest_handle, init);
    const ib_uverbs_ex_create_qp extended = create_qp_with_flags(plain, init.create_flags);
    ib_uverbs_ex_create_qp_resp answer{};
    const ib_uverbs_create_qp_resp& kernel = answer.base;
    const auto command =
        init.create_flags == 0
            ? UverbsCommand(IB_USER_VERBS_CMD_CREATE_QP, plain, answer.base)
            : UverbsCommand::extended(IB_USER_VERBS_EX_CMD_CREATE_QP, extended, answer);
    auto created = context.execute(VRDMA_CMD_CREATE_QP, command, udata);
    if (!created) {
        return fail(created.error());
    }
    init.cap = capabilities(kernel);
    auto qp = std::make_unique<Qp>(context, kernel, guest_handle, init.qp_type,
                                   static_cast<Cq*>(init.send_cq));
    uint64_t bytes = send_ring_bytes(init.cap);
    if (init.srq == nullptr) {
        bytes += receive_ring_bytes(init.cap.max_recv_wr, init.cap.max_recv_sge);
    }
    auto charge = charge_rings(context, bytes);
    if (!charge) {
        return fail(charge.error());
    }
    qp->object_.hold(std::move(*charge));
    return qp;
}

Result<std::unique_ptr<rnic::QueuePair>> Qp::create_target(const ContextState& context,
                                                           uint32_t guest_handle,
                                                           uint32_t xrcd_handle,
                                                           rnic::Context::QpInit& init) {
    if (guest_handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    if (init.create_flags != 0) {
        return fail(EOPNOTSUPP);
    }
    if (auto there = context.usable(); !there) {
        return fail(there.error());
    }
    ib_uverbs_create_qp request = create_qp(guest_handle, init);
    request.pd_handle = xrcd_handle;  // as the kernel has it (ib_uverbs_create_qp)
    ib_uverbs_create_qp_resp kernel{};
    auto created = execute(*context.file, {IB_USER_VERBS_CMD_CREATE_QP, request, kernel},
                           {.in = context.port.rnic->vendor.target_qp, .out = {}});
    if (!created) {
        return fail(created.error());
    }
    init.cap = capabilities(kernel);
    return std::make_unique<Qp>(context, kernel, guest_handle, init.qp_type, nullptr);
}

Qp::Qp(const ContextState& context, const ib_uverbs_create_qp_resp& kernel, uint32_t guest_handle,
       uint8_t qp_type, Cq* send_cq)
    : object_(context, kQpKind, kernel.qp_handle),
      qp_type_{qp_type},
      qp_num_(kernel.qpn),
      guest_handle_(guest_handle),
      send_cq_(send_cq),
      bell_(bell_for(context, send_cq, kernel.qp_handle)),
      mcast_(context, kernel.qp_handle) {
    context.port.qps.insert(qp_num_, qp_type_);
    if (bell_ != nullptr) {
        send_cq_->add(bell_);
        context.port.events.send_queues().insert(guest_handle_, bell_);
    }
}

Qp::~Qp() {
    object_.context().port.qps.erase(qp_num_);
    if (bell_ != nullptr) {
        take_doorbell();
        object_.context().port.events.send_queues().erase(guest_handle_);
        bell_->silence();
        send_cq_->remove(bell_);
    }
}

// The worker may not have come to what the library posted before the verb that follows.  Natively
// the library's doorbell is a system call, and the requests are on their way when that returns.
void Qp::take_doorbell() {
    if (bell_ != nullptr) {
        (void)bell_->ring();
    }
}

// Whether the modification lets datagrams arrive (IBTA 1.4, 10.3.1).
bool Qp::receives_datagrams(uint32_t attr_mask, const rnic::QpAttributes& attributes) const {
    return qp_type_ == rnic::QpType::kUd && (attr_mask & rnic::kAttrState) != 0 &&
           rnic::QpState{attributes.qp_state} == rnic::QpState::kReadyToReceive;
}

Result<void> Qp::modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) {
    const ContextState& context = object_.context();
    const RnicState& rnic = *context.port.rnic;
    if (auto allowed = check(attr_mask, attributes, rnic.transport); !allowed) {
        return allowed;
    }
    auto host = on_host(context.port, attr_mask, attributes);
    if (!host) {
        return fail(host.error());
    }
    // A peer's first datagram may come before the guest itself looks a path up.
    if (rnic.transport == Transport::kRoce && receives_datagrams(attr_mask, attributes)) {
        context.port.addresses->be_reachable();
    }
    if ((attr_mask & rnic::kAttrState) != 0 && ends_sending(attributes.qp_state)) {
        take_doorbell();
    }
    const ib_uverbs_ex_modify_qp request{
        .base = modify_qp(object_.handle(), attr_mask, *host, rnic.host_port),
        .rate_limit = attributes.rate_limit,
        .reserved = 0,
    };
    ib_uverbs_ex_modify_qp_resp response{};
    // The plain command knows neither private bytes nor rates.
    const bool plain =
        udata.in.empty() && udata.out.empty() && (attr_mask & rnic::kAttrRateLimit) == 0;
    const auto command =
        plain ? UverbsCommand(IB_USER_VERBS_CMD_MODIFY_QP, request.base)
              : UverbsCommand::extended(IB_USER_VERBS_EX_CMD_MODIFY_QP, request, response);
    auto modified = context.execute(VRDMA_CMD_MODIFY_QP, command, udata);
    if (modified && (attr_mask & rnic::kAttrAddressVector) != 0) {
        guest_ah_ = attributes.ah;
    }
    if (modified && (attr_mask & rnic::kAttrPkeyIndex) != 0) {
        guest_pkey_index_ = attributes.pkey_index;
    }
    return modified;
}

Result<rnic::QpAttributes> Qp::query() {
    ib_uverbs_query_qp request{};
    request.qp_handle = object_.handle();
    request.attr_mask = kQueriedAttributes;
    ib_uverbs_query_qp_resp kernel{};
    auto queried = object_.context().execute({IB_USER_VERBS_CMD_QUERY_QP, request, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    rnic::QpAttributes attributes = qp_attributes(kernel);
    attributes.port = rnic::kGuestPort;
    attributes.ah = guest_ah_;
    if (object_.context().port.rnic->transport == Transport::kInfiniBand) {
        attributes.pkey_index = guest_pkey_index_;
    }
    return attributes;
}

Result<void> Qp::attach_mcast(const rnic::Gid& gid, uint16_t lid) {
    return mcast_.attach(gid, lid);
}

Result<void> Qp::detach_mcast(const rnic::Gid& gid, uint16_t) {
    return mcast_.detach(gid);
}

Result<void> Qp::save(state::Qp& qp) const {
    qp.set_qp_type(static_cast<uint8_t>(qp_type_));
    rnic::save_path(guest_ah_, *qp.mutable_attributes()->mutable_path());
    qp.mutable_attributes()->set_pkey_index(guest_pkey_index_);
    state::UverbsQp& saved = *qp.mutable_uverbs();
    saved.set_kernel_handle(object_.handle());
    saved.set_number(qp_num_);
    saved.set_ring_bytes(object_.held());
    mcast_.save(qp);
    return {};
}

Result<std::unique_ptr<rnic::QueuePair>> Qp::restore(const ContextState& context,
                                                     const rnic::Context::QpInit& pointers,
                                                     const state::Qp& saved) {
    const auto path = rnic::restore_path(saved.attributes().path());
    const bool is_target = pointers.send_cq == nullptr &&
                           saved.qp_type() == static_cast<uint32_t>(rnic::QpType::kXrcTarget);
    if (!saved.has_uverbs() || saved.handle() >= VRDMA_DB_MAX_HANDLES ||
        saved.qp_type() > std::numeric_limits<uint8_t>::max() || !path ||
        (!is_target && !forwarded(static_cast<uint8_t>(saved.qp_type()), *context.port.rnic)) ||
        saved.attributes().pkey_index() > std::numeric_limits<uint16_t>::max()) {
        return fail(EINVAL);
    }
    ib_uverbs_create_qp_resp kernel{};
    kernel.qp_handle = saved.uverbs().kernel_handle();
    kernel.qpn = saved.uverbs().number();
    auto qp =
        std::make_unique<Qp>(context, kernel, saved.handle(), static_cast<uint8_t>(saved.qp_type()),
                             static_cast<Cq*>(pointers.send_cq));
    qp->object_.take_rings(saved.uverbs().ring_bytes());
    qp->guest_ah_ = *path;
    qp->guest_pkey_index_ = static_cast<uint16_t>(saved.attributes().pkey_index());
    if (auto restored = qp->mcast_.restore(saved); !restored) {
        return fail(restored.error());
    }
    return qp;
}

}  // namespace vrdma::uverbs
