// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Address handles.
#include "device/request/wire.h"
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"
#include "rnic/attributes_state.h"

namespace vrdma::device {

Result<void> save(Saving& saving, AhObject& object, state::Ah& state) {
    state.set_pd(saving.handle_of(object.pd.get()));
    rnic::save_path(object.attributes, *state.mutable_path());
    return object.ah->save(state);
}

Result<void> restore(Restoring& restoring, const state::Ah& state) {
    ObjectTables& objects = restoring.objects();
    auto place = objects.place_in_pd(state.uctx(), state.pd(), objects.ahs, state.handle());
    if (!place) {
        return fail(place.error());
    }
    const auto path = rnic::restore_path(state.path());
    if (!path) {
        return fail(EINVAL);
    }
    auto ah = place->context->restore_ah(*place->pd->pd, state);
    if (!ah) {
        return fail(ah.error());
    }
    objects.ahs.insert(state.handle(), AhObject{.uctx = state.uctx(),
                                                .pd = Ref(*place->pd),
                                                .ah = std::move(*ah),
                                                .attributes = *path});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> create_ah(Verbs& verbs, Call& call, const vrdma_cmd_create_ah& request,
                       vrdma_rsp_handle& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().ahs);
    if (!place) {
        return fail(place.error());
    }
    const rnic::AhAttributes attributes = from_wire(request.attr);
    auto ah = place->context->create_ah(*place->pd->pd, attributes, call.udata);
    if (!ah) {
        return fail(ah.error());
    }
    verbs.objects().ahs.insert(place->handle, AhObject{.uctx = call.uctx,
                                                       .pd = Ref(*place->pd),
                                                       .ah = std::move(*ah),
                                                       .attributes = attributes});
    response.handle = htole32(place->handle);
    return {};
}

Result<void> query_ah(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                      vrdma_rsp_query_ah& response) {
    auto ah = verbs.objects().ahs.owned(call.uctx, le32toh(request.handle));
    if (!ah) {
        return fail(ah.error());
    }
    response.attr = to_wire((*ah)->attributes);
    return {};
}

Result<void> destroy_ah(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                        vrdma_rsp_empty&) {
    return verbs.objects().ahs.destroy(call.uctx, le32toh(request.handle));
}

}  // namespace vrdma::device::verb
