// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory windows.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, MwObject& object, state::Mw& state) {
    state.set_pd(saving.handle_of(object.pd.get()));
    return object.mw->save(state);
}

Result<void> restore(Restoring& restoring, const state::Mw& state) {
    ObjectTables& objects = restoring.objects();
    auto place = objects.place_in_pd(state.uctx(), state.pd(), objects.mws, state.handle());
    if (!place) {
        return fail(place.error());
    }
    auto mw = place->context->restore_mw(*place->pd->pd, state);
    if (!mw) {
        return fail(mw.error());
    }
    objects.mws.insert(state.handle(),
                       MwObject{.uctx = state.uctx(), .pd = Ref(*place->pd), .mw = std::move(*mw)});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> alloc_mw(Verbs& verbs, Call& call, const vrdma_cmd_alloc_mw& request,
                      vrdma_rsp_alloc_mw& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().mws);
    if (!place) {
        return fail(place.error());
    }
    auto mw = place->context->alloc_mw(*place->pd->pd, request.type, call.udata);
    if (!mw) {
        return fail(mw.error());
    }
    response.handle = htole32(place->handle);
    response.rkey = htole32((*mw)->rkey());
    verbs.objects().mws.insert(
        place->handle, MwObject{.uctx = call.uctx, .pd = Ref(*place->pd), .mw = std::move(*mw)});
    return {};
}

Result<void> dealloc_mw(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                        vrdma_rsp_empty&) {
    return verbs.objects().mws.destroy(call.uctx, le32toh(request.handle));
}

}  // namespace vrdma::device::verb
