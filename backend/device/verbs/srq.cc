// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Shared receive queues.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, SrqObject& object, state::Srq& state) {
    state.set_pd(saving.handle_of(object.pd.get()));
    if (object.xrcd.get() != nullptr) {
        state.set_xrcd(saving.handle_of(object.xrcd.get()));
        state.set_cq(saving.handle_of(object.cq.get()));
    }
    *state.mutable_charge() = to_state(object.charge);
    return object.srq->save(state);
}

Result<void> restore(Restoring& restoring, const state::Srq& state) {
    ObjectTables& objects = restoring.objects();
    auto place = objects.place_in_pd(state.uctx(), state.pd(), objects.srqs, state.handle());
    if (!place) {
        return fail(place.error());
    }
    XrcdObject* xrcd = nullptr;
    CqObject* cq = nullptr;
    if (state.has_xrcd()) {
        xrcd = objects.xrcds.find(state.xrcd());
        const auto found = objects.cqs.owned(state.uctx(), state.cq());
        if (xrcd == nullptr || !found) {
            return fail(EINVAL);
        }
        cq = *found;
    }
    auto srq = xrcd == nullptr ? place->context->restore_srq(*place->pd->pd, state)
                               : place->context->restore_xrc_srq(state);
    if (!srq) {
        return fail(srq.error());
    }
    objects.srqs.insert(
        state.handle(),
        SrqObject{.uctx = state.uctx(),
                  .pd = Ref(*place->pd),
                  .xrcd = ref_or_none(xrcd),
                  .cq = ref_or_none(cq),
                  .charge = restoring.verbs.quota().take(from_state(state.charge())),
                  .srq = std::move(*srq)});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> create_srq(Verbs& verbs, Call& call, const vrdma_cmd_create_srq& request,
                        vrdma_rsp_create_srq& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().srqs);
    if (!place) {
        return fail(place.error());
    }
    auto charge = verbs.quota().charge(call.lasting);
    if (!charge) {
        return fail(charge.error());
    }
    rnic::SrqAttributes attributes{
        .max_wr = le32toh(request.max_wr),
        .max_sge = le32toh(request.max_sge),
        .srq_limit = le32toh(request.srq_limit),
    };
    auto srq = place->context->create_srq(place->handle, *place->pd->pd, attributes, call.udata);
    if (!srq) {
        return fail(srq.error());
    }
    verbs.objects().srqs.insert(place->handle, SrqObject{.uctx = call.uctx,
                                                         .pd = Ref(*place->pd),
                                                         .xrcd = {},
                                                         .cq = {},
                                                         .charge = std::move(*charge),
                                                         .srq = std::move(*srq)});
    response.handle = htole32(place->handle);
    response.max_wr = htole32(attributes.max_wr);
    response.max_sge = htole32(attributes.max_sge);
    return {};
}

Result<void> create_xrc_srq(Verbs& verbs, Call& call, const vrdma_cmd_create_xrc_srq& request,
                            vrdma_rsp_create_xrc_srq& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().srqs);
    if (!place) {
        return fail(place.error());
    }
    auto cq = verbs.objects().cqs.owned(call.uctx, le32toh(request.cq));
    XrcdObject* xrcd = verbs.objects().find_xrcd(le32toh(request.xrcd));
    if (!cq || xrcd == nullptr) {
        return fail(EINVAL);
    }
    auto charge = verbs.quota().charge(call.lasting);
    if (!charge) {
        return fail(charge.error());
    }
    rnic::Context::XrcSrqInit init{.pd = place->pd->pd.get(),
                                   .xrcd = xrcd->xrcd.get(),
                                   .cq = (*cq)->cq.get(),
                                   .attributes = {.max_wr = le32toh(request.max_wr),
                                                  .max_sge = le32toh(request.max_sge),
                                                  .srq_limit = le32toh(request.srq_limit)}};
    auto srq = place->context->create_xrc_srq(place->handle, init, call.udata);
    if (!srq) {
        return fail(srq.error());
    }
    verbs.objects().srqs.insert(place->handle, SrqObject{.uctx = call.uctx,
                                                         .pd = Ref(*place->pd),
                                                         .xrcd = Ref(*xrcd),
                                                         .cq = Ref(**cq),
                                                         .charge = std::move(*charge),
                                                         .srq = std::move(*srq)});
    response.handle = htole32(place->handle);
    response.max_wr = htole32(init.attributes.max_wr);
    response.max_sge = htole32(init.attributes.max_sge);
    response.srq_num = htole32(init.srq_num);
    return {};
}

Result<void> modify_srq(Verbs& verbs, Call& call, const vrdma_cmd_modify_srq& request,
                        vrdma_rsp_empty&) {
    auto srq = verbs.objects().srqs.owned(call.uctx, le32toh(request.handle));
    if (!srq) {
        return fail(srq.error());
    }
    const rnic::SrqAttributes attributes{
        .max_wr = le32toh(request.max_wr),
        .srq_limit = le32toh(request.srq_limit),
    };
    return (*srq)->srq->modify(le32toh(request.attr_mask), attributes, call.udata);
}

Result<void> query_srq(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                       vrdma_rsp_query_srq& response) {
    auto srq = verbs.objects().srqs.owned(call.uctx, le32toh(request.handle));
    if (!srq) {
        return fail(srq.error());
    }
    auto attributes = (*srq)->srq->query();
    if (!attributes) {
        return fail(attributes.error());
    }
    response.max_wr = htole32(attributes->max_wr);
    response.max_sge = htole32(attributes->max_sge);
    response.srq_limit = htole32(attributes->srq_limit);
    return {};
}

Result<void> destroy_srq(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                         vrdma_rsp_empty&) {
    auto destroyed = verbs.objects().srqs.destroy(call.uctx, le32toh(request.handle));
    verbs.objects().erase_released_xrcds();
    return destroyed;
}

}  // namespace vrdma::device::verb
