// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory windows.
#include "device/verbs/verbs.h"

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
