// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Queue pairs.
#include "device/request/wire.h"
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"
#include "rnic/attributes_state.h"
#include "rnic/verbs_abi.h"

namespace vrdma::device {
namespace {

bool is_of_type(const state::Qp& state, rnic::QpType type) {
    return state.qp_type() == static_cast<uint32_t>(type);
}

// A target of XRC is the device's, and refers to nothing but its domain.
QpObject target_of(XrcdObject& xrcd, std::unique_ptr<rnic::QueuePair> qp, bool sq_sig_all) {
    return {.uctx = VRDMA_NO_HANDLE,
            .pd = {},
            .send_cq = {},
            .recv_cq = {},
            .srq = {},
            .xrcd = Ref(xrcd),
            .charge = {},
            .qp = std::move(qp),
            .sq_sig_all = sq_sig_all};
}

Result<void> restore_target(Restoring& restoring, const state::Qp& state) {
    ObjectTables& objects = restoring.objects();
    if (auto free = objects.qps.check_free(state.handle()); !free) {
        return free;
    }
    XrcdObject* xrcd = objects.xrcds.find(state.xrcd());
    if (xrcd == nullptr || state.uctx() != VRDMA_NO_HANDLE) {
        return fail(EINVAL);
    }
    auto qp = xrcd->xrcd->restore_target_qp(state);
    if (!qp) {
        return fail(qp.error());
    }
    objects.qps.insert(state.handle(), target_of(*xrcd, std::move(*qp), state.sq_sig_all()));
    return {};
}

}  // namespace

Result<void> save(Saving& saving, QpObject& object, state::Qp& state) {
    state.set_sq_sig_all(object.sq_sig_all);
    // A target of XRC refers to nothing but its domain.
    if (object.xrcd.get() != nullptr) {
        state.set_xrcd(saving.handle_of(object.xrcd.get()));
        return object.qp->save(state);
    }
    state.set_pd(saving.handle_of(object.pd.get()));
    state.set_send_cq(saving.handle_of(object.send_cq.get()));
    if (object.recv_cq.get() != nullptr) {
        state.set_recv_cq(saving.handle_of(object.recv_cq.get()));
    }
    if (object.srq.get() != nullptr) {
        state.set_srq(saving.handle_of(object.srq.get()));
    }
    *state.mutable_charge() = to_state(object.charge);
    return object.qp->save(state);
}

Result<void> restore(Restoring& restoring, const state::Qp& state) {
    if (is_of_type(state, rnic::QpType::kXrcTarget)) {
        return restore_target(restoring, state);
    }
    ObjectTables& objects = restoring.objects();
    auto place = objects.place_in_pd(state.uctx(), state.pd(), objects.qps, state.handle());
    if (!place) {
        return fail(place.error());
    }
    auto send_cq = objects.cqs.owned(state.uctx(), state.send_cq());
    if (!send_cq) {
        return fail(send_cq.error());
    }
    CqObject* recv_cq = nullptr;
    if (!is_of_type(state, rnic::QpType::kXrcInitiator)) {
        auto found = objects.cqs.owned(state.uctx(), state.recv_cq());
        if (!found) {
            return fail(found.error());
        }
        recv_cq = *found;
    }
    SrqObject* srq = nullptr;
    if (state.has_srq()) {
        auto found = objects.srqs.owned(state.uctx(), state.srq());
        if (!found) {
            return fail(found.error());
        }
        srq = *found;
    }
    const rnic::Context::QpInit init{.pd = place->pd->pd.get(),
                                     .send_cq = (*send_cq)->cq.get(),
                                     .recv_cq = recv_cq == nullptr ? nullptr : recv_cq->cq.get(),
                                     .srq = srq == nullptr ? nullptr : srq->srq.get(),
                                     .sq_sig_all = state.sq_sig_all(),
                                     .cap = {}};
    auto qp = place->context->restore_qp(init, state);
    if (!qp) {
        return fail(qp.error());
    }
    QpObject object{.uctx = state.uctx(),
                    .pd = Ref(*place->pd),
                    .send_cq = Ref(**send_cq),
                    .recv_cq = ref_or_none(recv_cq),
                    .srq = ref_or_none(srq),
                    .xrcd = {},
                    .charge = restoring.verbs.quota().take(from_state(state.charge())),
                    .qp = std::move(*qp),
                    .sq_sig_all = state.sq_sig_all()};
    for (const std::string& bytes : state.groups()) {
        const auto gid = rnic::restore_gid(bytes);
        if (!gid) {
            return fail(EINVAL);
        }
        object.groups.emplace(*gid, restoring.verbs.budgets().multicast_attachments.take());
    }
    objects.qps.insert(state.handle(), std::move(object));
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {
namespace {

// The objects that a new queue pair of a user context depends on.
struct Dependences {
    PdObject* pd = nullptr;
    CqObject* send_cq = nullptr;
    CqObject* recv_cq = nullptr;  // or none, for an initiator of XRC
    SrqObject* srq = nullptr;     // or none
};

bool is_of_type(const vrdma_cmd_create_qp& request, rnic::QpType type) {
    return rnic::QpType{request.qp_type} == type;
}

// EINVAL where the context does not own what the request names, or an initiator receives.
Result<Dependences> dependences(ObjectTables& objects, const Call& call,
                                const vrdma_cmd_create_qp& request) {
    Dependences found;
    auto pd = objects.pds.owned(call.uctx, le32toh(request.pd));
    auto send_cq = objects.cqs.owned(call.uctx, le32toh(request.send_cq));
    if (!pd || !send_cq) {
        return fail(EINVAL);
    }
    found.pd = *pd;
    found.send_cq = *send_cq;
    if (is_of_type(request, rnic::QpType::kXrcInitiator)) {
        const bool receives =
            le32toh(request.recv_cq) != VRDMA_NO_HANDLE || le32toh(request.srq) != VRDMA_NO_HANDLE;
        return receives ? Result<Dependences>(fail(EINVAL)) : found;
    }
    auto recv_cq = objects.cqs.owned(call.uctx, le32toh(request.recv_cq));
    if (!recv_cq) {
        return fail(recv_cq.error());
    }
    found.recv_cq = *recv_cq;
    if (le32toh(request.srq) != VRDMA_NO_HANDLE) {
        auto srq = objects.srqs.owned(call.uctx, le32toh(request.srq));
        if (!srq) {
            return fail(srq.error());
        }
        found.srq = *srq;
    }
    return found;
}

rnic::Context::QpInit init_of(const vrdma_cmd_create_qp& request) {
    return {.qp_type = request.qp_type,
            .sq_sig_all = request.sq_sig_all != 0,
            .create_flags = le32toh(request.create_flags),
            .cap = from_wire(request.cap)};
}

vrdma_rsp_create_qp response_of(uint32_t handle, const rnic::QueuePair& qp,
                                const rnic::QpCapabilities& cap) {
    return {
        .hdr = {}, .handle = htole32(handle), .qp_num = htole32(qp.qp_num()), .cap = to_wire(cap)};
}

// A target of XRC lives as long as its domain may, also when the process that made it has ended:
// the guest's other processes may have opened it.
Result<void> create_target_qp(Verbs& verbs, Call& call, const vrdma_cmd_create_qp& request,
                              vrdma_rsp_create_qp& response) {
    XrcdObject* xrcd = verbs.objects().find_xrcd(le32toh(request.pd));
    const bool has_queues = le32toh(request.send_cq) != VRDMA_NO_HANDLE ||
                            le32toh(request.recv_cq) != VRDMA_NO_HANDLE ||
                            le32toh(request.srq) != VRDMA_NO_HANDLE;
    if (xrcd == nullptr || has_queues || call.uctx != VRDMA_NO_HANDLE || !call.udata.in.empty()) {
        return fail(EINVAL);
    }
    auto handle = verbs.objects().qps.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    rnic::Context::QpInit init = init_of(request);
    auto qp = xrcd->xrcd->create_target_qp(*handle, init);
    if (!qp) {
        return fail(qp.error());
    }
    response = response_of(*handle, **qp, init.cap);
    verbs.objects().qps.insert(*handle, target_of(*xrcd, std::move(*qp), init.sq_sig_all));
    return {};
}

}  // namespace

Result<void> create_qp(Verbs& verbs, Call& call, const vrdma_cmd_create_qp& request,
                       vrdma_rsp_create_qp& response) {
    const bool is_target = is_of_type(request, rnic::QpType::kXrcTarget);
    if ((is_target || is_of_type(request, rnic::QpType::kXrcInitiator)) &&
        !verbs.attributes().has_xrc) {
        return fail(EOPNOTSUPP);
    }
    if (is_target) {
        return create_target_qp(verbs, call, request, response);
    }
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
    rnic::Context::QpInit init = init_of(request);
    init.pd = on->pd->pd.get();
    init.send_cq = on->send_cq->cq.get();
    init.recv_cq = on->recv_cq == nullptr ? nullptr : on->recv_cq->cq.get();
    init.srq = on->srq == nullptr ? nullptr : on->srq->srq.get();
    auto qp = (*context)->create_qp(*handle, init, call.udata);
    if (!qp) {
        return fail(qp.error());
    }
    response = response_of(*handle, **qp, init.cap);
    verbs.objects().qps.insert(*handle, QpObject{.uctx = call.uctx,
                                                 .pd = Ref(*on->pd),
                                                 .send_cq = Ref(*on->send_cq),
                                                 .recv_cq = ref_or_none(on->recv_cq),
                                                 .srq = ref_or_none(on->srq),
                                                 .xrcd = {},
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
    auto destroyed = verbs.objects().qps.destroy(call.uctx, le32toh(request.handle));
    verbs.objects().erase_released_xrcds();
    return destroyed;
}

}  // namespace vrdma::device::verb
