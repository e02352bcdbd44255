// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/mw.h"

#include "rnic/uverbs/verbs/pd.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kMwKind{
    .name = "memory window",
    .destroy = destroy_by_handle<ib_uverbs_dealloc_mw, IB_USER_VERBS_CMD_DEALLOC_MW>,
    .counter = &rnic::LiveObjects::memory_windows,
};

}  // namespace

Mw::Mw(const ContextState& context, const ib_uverbs_alloc_mw_resp& kernel)
    : object_(context, kMwKind, kernel.mw_handle), rkey_(kernel.rkey) {}

Result<std::unique_ptr<rnic::MemoryWindow>> Mw::create(const ContextState& context,
                                                       const rnic::ProtectionDomain& pd,
                                                       uint8_t type, rnic::Udata& udata) {
    ib_uverbs_alloc_mw request{};
    request.pd_handle = handle_of(pd);
    request.mw_type = type;
    ib_uverbs_alloc_mw_resp kernel{};
    auto allocated =
        context.execute(VRDMA_CMD_ALLOC_MW, {IB_USER_VERBS_CMD_ALLOC_MW, request, kernel}, udata);
    if (!allocated) {
        return fail(allocated.error());
    }
    return std::make_unique<Mw>(context, kernel);
}

Result<void> Mw::save(state::Mw& mw) const {
    mw.mutable_uverbs()->set_kernel_handle(object_.handle());
    mw.mutable_uverbs()->set_rkey(rkey_);
    return {};
}

Result<std::unique_ptr<rnic::MemoryWindow>> Mw::restore(const ContextState& context,
                                                        const state::Mw& saved) {
    if (!saved.has_uverbs()) {
        return fail(EINVAL);
    }
    ib_uverbs_alloc_mw_resp kernel{};
    kernel.mw_handle = saved.uverbs().kernel_handle();
    kernel.rkey = saved.uverbs().rkey();
    return std::make_unique<Mw>(context, kernel);
}

}  // namespace vrdma::uverbs
