// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/srq.h"

#include <infiniband/verbs.h>

#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

Srq::Srq(const ContextState& context, uint32_t handle, uint32_t max_wr)
    : object_(context, handle, "shared receive queue",
              destroy_with_events<ib_uverbs_destroy_srq, ib_uverbs_destroy_srq_resp,
                                  IB_USER_VERBS_CMD_DESTROY_SRQ>,
              context.port.rnic->live.shared_receive_queues),
      max_wr_(max_wr) {}

Result<void> Srq::modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                         rnic::Udata& udata) {
    const ContextState& context = object_.context();
    const bool resizes = (attr_mask & IBV_SRQ_MAX_WR) != 0;
    if (resizes && context.port.rnic->vendor.srq_only_grows && attributes.max_wr < max_wr_) {
        return fail(EINVAL);
    }
    auto modified = context.execute(VRDMA_CMD_MODIFY_SRQ, IB_USER_VERBS_CMD_MODIFY_SRQ,
                                    ib_uverbs_modify_srq{
                                        .srq_handle = handle(),
                                        .attr_mask = attr_mask,
                                        .max_wr = attributes.max_wr,
                                        .srq_limit = attributes.srq_limit,
                                    },
                                    udata);
    if (modified && resizes) {
        max_wr_ = attributes.max_wr;
    }
    return modified;
}

Result<rnic::SrqAttributes> Srq::query() {
    const ContextState& context = object_.context();
    if (auto there = context.usable(); !there) {
        return fail(there.error());
    }
    ib_uverbs_query_srq_resp kernel{};
    const ib_uverbs_query_srq request{.response = 0, .srq_handle = handle(), .reserved = 0};
    auto queried = execute(*context.file, {IB_USER_VERBS_CMD_QUERY_SRQ, request, kernel});
    if (!queried) {
        return fail(queried.error());
    }
    return rnic::SrqAttributes{
        .max_wr = kernel.max_wr,
        .max_sge = kernel.max_sge,
        .srq_limit = kernel.srq_limit,
    };
}

}  // namespace vrdma::uverbs
