// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Queue pairs.
#include "device/request/wire.h"
#include "device/verbs/verbs.h"

namespace vrdma::device::verb {
namespace {

// The objects that a new queue pair depends on.
struct Dependences {
    PdObject* pd = nullptr;
    CqObject* send_cq = nullptr;
    CqObject* recv_cq = nullptr;
    SrqObject* srq = nullptr;  // or none
};

// EINVAL where the context does not own what the request names.
Result<Dependences> dependences(ObjectTables& objects, const Call& call,
                                const vrdma_cmd_create_qp& request) {
    auto pd = objects.pds.owned(call.uctx, le32toh(request.pd));
    auto send_cq = objects.cqs.owned(call.uctx, le32toh(request.send_cq));
    auto recv_cq = objects.cqs.owned(call.uctx, le32toh(request.recv_cq));
    if (!pd || !send_cq || !recv_cq) {
        return fail(EINVAL);
    }
    Dependences found{.pd = *pd, .send_cq = *send_cq, .recv_cq = *recv_cq};
    if (le32toh(request.srq) != VRDMA_NO_HANDLE) {
        auto srq = objects.srqs.owned(call.uctx, le32toh(request.srq));
        if (!srq) {
            return fail(srq.error());
        }
        found.srq = *srq;
    }
    return found;
}

}  // namespace

Result<void> create_qp(Verbs& verbs, Call& call, const vrdma_cmd_create_qp& request,
                       vrdma_rsp_create_qp& response) {
    auto context = verbs.objects().context(call.uctx);
    if (!context) {
        return fail(context.error());
    }
    auto on = dependences(verbs.objects(), call, request);
    if (!on) {
        return fail(on.error());
    }
    auto handle = verbs.objects().qps.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto charge = verbs.quota().charge(call.lasting);
    if (!charge) {
        return fail(charge.error());
    }
    rnic::Context::QpInit init{
        .pd = on->pd->pd.get(),
        .send_cq = on->send_cq->cq.get(),
        .recv_cq = on->recv_cq->cq.get(),
        .srq = on->srq == nullptr ? nullptr : on->srq->srq.get(),
        .qp_type = request.qp_type,
        .sq_sig_all = request.sq_sig_all != 0,
        .create_flags = le32toh(request.create_flags),
        .cap = from_wire(request.cap),
    };
    auto qp = (*context)->create_qp(*handle, init, call.udata);
    if (!qp) {
        return fail(qp.error());
    }
    response.handle = htole32(*handle);
    response.qp_num = htole32((*qp)->qp_num());
    response.cap = to_wire(init.cap);
    verbs.objects().qps.insert(
        *handle, QpObject{.uctx = call.uctx,
                          .pd = Ref(*on->pd),
                          .send_cq = Ref(*on->send_cq),
                          .recv_cq = Ref(*on->recv_cq),
                          .srq = on->srq == nullptr ? Ref<SrqObject>() : Ref(*on->srq),
                          .charge = std::move(*charge),
                          .qp = std::move(*qp),
                          .sq_sig_all = init.sq_sig_all});
    return {};
}

Result<void> modify_qp(Verbs& verbs, Call& call, const vrdma_cmd_modify_qp& request,
                       vrdma_rsp_empty&) {
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.handle));
    if (!qp) {
        return fail(qp.error());
    }
    return (*qp)->qp->modify(le32toh(request.attr_mask), from_wire(request.attr), call.udata);
}

Result<void> query_qp(Verbs& verbs, Call& call, const vrdma_cmd_query_qp& request,
                      vrdma_rsp_query_qp& response) {
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.handle));
    if (!qp) {
        return fail(qp.error());
    }
    auto attributes = (*qp)->qp->query();
    if (!attributes) {
        return fail(attributes.error());
    }
    response.attr = to_wire(*attributes);
    response.sq_sig_all = (*qp)->sq_sig_all ? 1 : 0;
    return {};
}

Result<void> destroy_qp(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                        vrdma_rsp_empty&) {
    return verbs.objects().qps.destroy(call.uctx, le32toh(request.handle));
}

}  // namespace vrdma::device::verb
