// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/pd.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kPdKind{
    .name = "protection domain",
    .destroy = destroy_by_handle<ib_uverbs_dealloc_pd, IB_USER_VERBS_CMD_DEALLOC_PD>,
    .counter = &rnic::LiveObjects::protection_domains,
};

}  // namespace

Pd::Pd(const ContextState& context, uint32_t handle) : object_(context, kPdKind, handle) {}

Result<std::unique_ptr<rnic::ProtectionDomain>> Pd::create(const ContextState& context,
                                                           rnic::Udata& udata) {
    ib_uverbs_alloc_pd_resp kernel{};
    auto allocated = context.execute(
        VRDMA_CMD_ALLOC_PD, {IB_USER_VERBS_CMD_ALLOC_PD, ib_uverbs_alloc_pd{}, kernel}, udata);
    if (!allocated) {
        return fail(allocated.error());
    }
    return std::make_unique<Pd>(context, kernel.pd_handle);
}

Result<void> Pd::save(state::Pd& pd) const {
    pd.mutable_uverbs()->set_kernel_handle(handle());
    return {};
}

Result<std::unique_ptr<rnic::ProtectionDomain>> Pd::restore(const ContextState& context,
                                                            const state::Pd& saved) {
    if (!saved.has_uverbs()) {
        return fail(EINVAL);
    }
    return std::make_unique<Pd>(context, saved.uverbs().kernel_handle());
}

}  // namespace vrdma::uverbs
