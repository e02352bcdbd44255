// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// User contexts.
#include "device/verbs/verbs.h"

namespace vrdma::device::verb {

Result<void> alloc_ucontext(Verbs& verbs, Call& call, const vrdma_cmd_empty&,
                            vrdma_rsp_handle& response) {
    auto handle = verbs.objects().ucontexts.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto context = verbs.port().alloc_context(call.udata);
    if (!context) {
        return fail(context.error());
    }
    verbs.objects().ucontexts.insert(*handle, UcontextObject{.context = std::move(*context)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> dealloc_ucontext(Verbs& verbs, Call&, const vrdma_cmd_handle& request,
                              vrdma_rsp_empty&) {
    const uint32_t uctx = le32toh(request.handle);
    if (verbs.objects().ucontexts.find(uctx) == nullptr) {
        return fail(EINVAL);
    }
    verbs.release_ucontext(uctx);
    return {};
}

}  // namespace vrdma::device::verb
