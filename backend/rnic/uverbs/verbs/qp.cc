// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/qp.h"

#include <infiniband/verbs.h>

#include <algorithm>

#include "rnic/uverbs/kernel/device_attributes.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {
namespace {

constexpr uint8_t kGuestPort = 1;

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
    if (((attr_mask & IBV_QP_PORT) != 0 && attributes.port != kGuestPort) ||
        ((attr_mask & IBV_QP_AV) != 0 && attributes.ah.port != kGuestPort)) {
        return fail(EINVAL);
    }
    if ((attr_mask & IBV_QP_QKEY) != 0 && (attributes.qkey & kControlledQkey) != 0) {
        return fail(EPERM);
    }
    return {};
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
                return execute(*context.file, IB_USER_VERBS_CMD_MODIFY_QP, base);
            }
            ib_uverbs_ex_modify_qp_resp response{};
            return execute_extended(
                *context.file, IB_USER_VERBS_EX_CMD_MODIFY_QP,
                ib_uverbs_ex_modify_qp{
                    .base = base, .rate_limit = attributes.rate_limit, .reserved = 0},
                response, bytes);
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
    auto queried = execute(*context.file, IB_USER_VERBS_CMD_QUERY_QP, request, kernel);
    if (!queried) {
        return fail(queried.error());
    }
    rnic::QpAttributes attributes = qp_attributes(kernel);
    attributes.port = kGuestPort;
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
    auto attached = execute(*context.file, IB_USER_VERBS_CMD_ATTACH_MCAST, request);
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
    return execute(*object_.context().file, IB_USER_VERBS_CMD_DETACH_MCAST, request);
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
