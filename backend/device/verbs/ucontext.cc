// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// User contexts.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, UcontextObject& object, state::Context& state) {
    return object.context->save(state, saving.files);
}

Result<void> restore(Restoring& restoring, const state::Context& state) {
    ObjectTable<UcontextObject>& table = restoring.objects().ucontexts;
    if (auto free = table.check_free(state.handle()); !free) {
        return free;
    }
    auto context = restoring.verbs.port().restore_context(state, restoring.files);
    if (!context) {
        return fail(context.error());
    }
    table.insert(state.handle(), UcontextObject{.context = std::move(*context)});
    return {};
}

}  // namespace vrdma::device

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
