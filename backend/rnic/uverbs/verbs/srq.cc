// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/srq.h"

#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include "rnic/uverbs/verbs/cq.h"
#include "rnic/uverbs/verbs/kernel_rings.h"
#include "rnic/uverbs/verbs/pd.h"
#include "rnic/uverbs/verbs/xrcd.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kSrqKind{
    .name = "shared receive queue",
    .destroy = destroy_with_events<ib_uverbs_destroy_srq, ib_uverbs_destroy_srq_resp,
                                   IB_USER_VERBS_CMD_DESTROY_SRQ>,
    .counter = &rnic::LiveObjects::shared_receive_queues,
};

}  // namespace

Result<std::unique_ptr<rnic::SharedReceiveQueue>> Srq::create(const ContextState& context,
                                                              uint32_t guest_handle,
                                                              const rnic::ProtectionDomain& pd,
                                                              rnic::SrqAttributes& attributes,
                                                              rnic::Udata& udata) {
    ib_uverbs_create_srq request{};
    request.user_handle = guest_handle;
    request.pd_handle = handle_of(pd);
    request.max_wr = attributes.max_wr;
    request.max_sge = attributes.max_sge;
    request.srq_limit = attributes.srq_limit;
    ib_uverbs_create_srq_resp kernel{};
    auto created = context.execute(VRDMA_CMD_CREATE_SRQ,
                                   {IB_USER_VERBS_CMD_CREATE_SRQ, request, kernel}, udata);
    if (!created) {
        return fail(created.error());
    }
    return make(context, kernel, attributes, nullptr);
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> Srq::create_xrc(const ContextState& context,
                                                                  uint32_t guest_handle,
                                                                  rnic::Context::XrcSrqInit& init,
                                                                  rnic::Udata& udata) {
    auto xrcd = static_cast<const Xrcd&>(*init.xrcd).open_in(context);
    if (!xrcd) {
        return fail(xrcd.error());
    }
    ib_uverbs_create_xsrq request{};
    request.user_handle = guest_handle;
    request.srq_type = IB_UVERBS_SRQT_XRC;
    request.pd_handle = handle_of(*init.pd);
    request.max_wr = init.attributes.max_wr;
    request.max_sge = init.attributes.max_sge;
    request.srq_limit = init.attributes.srq_limit;
    request.xrcd_handle = (*xrcd)->handle();
    request.cq_handle = static_cast<const Cq&>(*init.cq).handle();
    ib_uverbs_create_srq_resp kernel{};
    auto created = context.execute(VRDMA_CMD_CREATE_XRC_SRQ,
                                   {IB_USER_VERBS_CMD_CREATE_XSRQ, request, kernel}, udata);
    if (!created) {
        return fail(created.error());
    }
    init.srq_num = kernel.srqn;
    return make(context, kernel, init.attributes, std::move(*xrcd));
}

// The queue that the kernel has made.
Result<std::unique_ptr<rnic::SharedReceiveQueue>> Srq::make(const ContextState& context,
                                                            const ib_uverbs_create_srq_resp& kernel,
                                                            rnic::SrqAttributes& attributes,
                                                            std::unique_ptr<KernelObject> xrcd) {
    attributes.max_wr = kernel.max_wr;
    attributes.max_sge = kernel.max_sge;
    auto srq = std::make_unique<Srq>(context, kernel.srq_handle, kernel.max_wr, kernel.max_sge,
                                     std::move(xrcd));
    auto charge = charge_rings(context, receive_ring_bytes(kernel.max_wr, kernel.max_sge));
    if (!charge) {
        return fail(charge.error());
    }
    srq->object_.hold(std::move(*charge));
    return srq;
}

Srq::Srq(const ContextState& context, uint32_t handle, uint32_t max_wr, uint32_t max_sge,
         std::unique_ptr<KernelObject> xrcd)
    : xrcd_(std::move(xrcd)),
      object_(context, kSrqKind, handle),
      max_wr_(max_wr),
      max_sge_(max_sge) {}

Result<void> Srq::modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                         rnic::Udata& udata) {
    const ContextState& context = object_.context();
    const bool resizes = (attr_mask & rnic::kSrqAttrMaxWr) != 0;
    if (resizes && context.port.rnic->vendor.srq_only_grows && attributes.max_wr < max_wr_) {
        return fail(EINVAL);
    }
    Result<Charge> charge;
    if (resizes) {
        charge = charge_rings(context, receive_ring_bytes(attributes.max_wr, max_sge_));
    }
    if (!charge) {
        return fail(charge.error());
    }
    const ib_uverbs_modify_srq request{
        .srq_handle = handle(),
        .attr_mask = attr_mask,
        .max_wr = attributes.max_wr,
        .srq_limit = attributes.srq_limit,
    };
    auto modified =
        context.execute(VRDMA_CMD_MODIFY_SRQ, {IB_USER_VERBS_CMD_MODIFY_SRQ, request}, udata);
    if (modified && resizes) {
        max_wr_ = attributes.max_wr;
        object_.hold(std::move(*charge));
    }
    return modified;
}

Result<rnic::SrqAttributes> Srq::query() {
    const ib_uverbs_query_srq request{.response = 0, .srq_handle = handle(), .reserved = 0};
    ib_uverbs_query_srq_resp kernel{};
    auto queried = object_.context().execute({IB_USER_VERBS_CMD_QUERY_SRQ, request, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    return rnic::SrqAttributes{
        .max_wr = kernel.max_wr,
        .max_sge = kernel.max_sge,
        .srq_limit = kernel.srq_limit,
    };
}

Result<void> Srq::save(state::Srq& srq) const {
    if (xrcd_ != nullptr) {
        srq.mutable_uverbs()->set_xrcd_handle(xrcd_->handle());
    }
    srq.set_max_wr(max_wr_);
    srq.set_max_sge(max_sge_);
    srq.mutable_uverbs()->set_kernel_handle(handle());
    srq.mutable_uverbs()->set_ring_bytes(object_.held());
    return {};
}

Result<std::unique_ptr<rnic::SharedReceiveQueue>> Srq::restore(const ContextState& context,
                                                               const state::Srq& saved,
                                                               std::unique_ptr<KernelObject> xrcd) {
    if (!saved.has_uverbs()) {
        return fail(EINVAL);
    }
    auto srq = std::make_unique<Srq>(context, saved.uverbs().kernel_handle(), saved.max_wr(),
                                     saved.max_sge(), std::move(xrcd));
    srq->object_.take_rings(saved.uverbs().ring_bytes());
    return srq;
}

}  // namespace vrdma::uverbs
