// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Protection domains.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving&, PdObject& object, state::Pd& state) {
    return object.pd->save(state);
}

Result<void> restore(Restoring& restoring, const state::Pd& state) {
    ObjectTables& objects = restoring.objects();
    auto context = objects.context(state.uctx());
    if (!context) {
        return fail(context.error());
    }
    if (auto free = objects.pds.check_free(state.handle()); !free) {
        return free;
    }
    auto pd = (*context)->restore_pd(state);
    if (!pd) {
        return fail(pd.error());
    }
    objects.pds.insert(state.handle(), PdObject{.uctx = state.uctx(), .pd = std::move(*pd)});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> alloc_pd(Verbs& verbs, Call& call, const vrdma_cmd_empty&,
                      vrdma_rsp_handle& response) {
    auto context = verbs.objects().context(call.uctx);
    if (!context) {
        return fail(context.error());
    }
    auto handle = verbs.objects().pds.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto pd = (*context)->alloc_pd(call.udata);
    if (!pd) {
        return fail(pd.error());
    }
    verbs.objects().pds.insert(*handle, PdObject{.uctx = call.uctx, .pd = std::move(*pd)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> dealloc_pd(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                        vrdma_rsp_empty&) {
    return verbs.objects().pds.destroy(call.uctx, le32toh(request.handle));
}

}  // namespace vrdma::device::verb
