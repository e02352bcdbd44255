// SPDX-License-Identifier: Apache-2.0
// Completion queues, shared receive queues, queue pairs and address handles.
#include "device/request/wire.h"
#include "device/verbs/verbs.h"
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {

Result<void> Verbs::create_cq(Call& call, const vrdma_cmd_create_cq& request,
                              vrdma_rsp_create_cq& response) {
    auto context = this->context(call);
    if (!context) {
        return fail(context.error());
    }
    if (le32toh(request.comp_vector) >= VRDMA_MAX_COMP_VECTORS) {
        return fail(EINVAL);
    }
    auto handle = reserve(cqs_, "completion queues");
    if (!handle) {
        return fail(handle.error());
    }
    if (auto room = check_room(call.lasting); !room) {
        return room;
    }
    rnic::CqAttributes attributes{
        .cqe = le32toh(request.cqe),
        .comp_vector = le32toh(request.comp_vector),
        .flags = le32toh(request.flags),
    };
    auto cq = (*context)->create_cq(*handle, attributes, call.udata);
    if (!cq) {
        return fail(cq.error());
    }
    hold(call.lasting);
    cqs_.insert(*handle, CqObject{.uctx = call.uctx, .cq = std::move(*cq), .memory = call.lasting});
    response.handle = htole32(*handle);
    response.cqe = htole32(attributes.cqe);
    return {};
}

Result<void> Verbs::resize_cq(Call& call, const vrdma_cmd_resize_cq& request,
                              vrdma_rsp_resize_cq& response) {
    auto cq = owned(cqs_, call, le32toh(request.handle));
    if (!cq) {
        return fail(cq.error());
    }
    uint32_t cqe = le32toh(request.cqe);
    if (auto result = (*cq)->cq->resize(cqe, call.udata); !result) {
        return result;
    }
    response.cqe = htole32(cqe);
    return {};
}

Result<void> Verbs::destroy_cq(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto cq = owned(cqs_, call, le32toh(request.handle));
    if (!cq) {
        return fail(cq.error());
    }
    if ((*cq)->users != 0) {
        return fail(EBUSY);
    }
    let_go((*cq)->memory);
    cqs_.erase(le32toh(request.handle));
    return {};
}

Result<void> Verbs::create_srq(Call& call, const vrdma_cmd_create_srq& request,
                               vrdma_rsp_create_srq& response) {
    auto place = place_in_pd(call, request.pd, srqs_, "shared receive queues");
    if (!place) {
        return fail(place.error());
    }
    if (auto room = check_room(call.lasting); !room) {
        return room;
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
    ++place->pd->users;
    hold(call.lasting);
    srqs_.insert(
        place->handle,
        SrqObject{
            .uctx = call.uctx, .pd = place->pd, .srq = std::move(*srq), .memory = call.lasting});
    response.handle = htole32(place->handle);
    response.max_wr = htole32(attributes.max_wr);
    response.max_sge = htole32(attributes.max_sge);
    return {};
}

Result<void> Verbs::modify_srq(Call& call, const vrdma_cmd_modify_srq& request, vrdma_rsp_empty&) {
    auto srq = owned(srqs_, call, le32toh(request.handle));
    if (!srq) {
        return fail(srq.error());
    }
    const rnic::SrqAttributes attributes{
        .max_wr = le32toh(request.max_wr),
        .srq_limit = le32toh(request.srq_limit),
    };
    return (*srq)->srq->modify(le32toh(request.attr_mask), attributes, call.udata);
}

Result<void> Verbs::query_srq(Call& call, const vrdma_cmd_handle& request,
                              vrdma_rsp_query_srq& response) {
    auto srq = owned(srqs_, call, le32toh(request.handle));
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

void Verbs::release_srq(SrqObject& srq) {
    --srq.pd->users;
    let_go(srq.memory);
}

Result<void> Verbs::destroy_srq(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto srq = owned(srqs_, call, le32toh(request.handle));
    if (!srq) {
        return fail(srq.error());
    }
    if ((*srq)->users != 0) {
        return fail(EBUSY);
    }
    release_srq(**srq);
    srqs_.erase(le32toh(request.handle));
    return {};
}

Result<void> Verbs::create_qp(Call& call, const vrdma_cmd_create_qp& request,
                              vrdma_rsp_create_qp& response) {
    auto context = this->context(call);
    if (!context) {
        return fail(context.error());
    }
    auto pd = owned(pds_, call, le32toh(request.pd));
    auto send_cq = owned(cqs_, call, le32toh(request.send_cq));
    auto recv_cq = owned(cqs_, call, le32toh(request.recv_cq));
    if (!pd || !send_cq || !recv_cq) {
        return fail(EINVAL);
    }
    SrqObject* srq = nullptr;
    if (le32toh(request.srq) != VRDMA_NO_HANDLE) {
        auto found = owned(srqs_, call, le32toh(request.srq));
        if (!found) {
            return fail(found.error());
        }
        srq = *found;
    }
    auto handle = reserve(qps_, "queue pairs");
    if (!handle) {
        return fail(handle.error());
    }
    if (auto room = check_room(call.lasting); !room) {
        return room;
    }
    rnic::Context::QpInit init{
        .pd = (*pd)->pd.get(),
        .send_cq = (*send_cq)->cq.get(),
        .recv_cq = (*recv_cq)->cq.get(),
        .srq = srq == nullptr ? nullptr : srq->srq.get(),
        .qp_type = request.qp_type,
        .sq_sig_all = request.sq_sig_all != 0,
        .create_flags = le32toh(request.create_flags),
        .cap = from_wire(request.cap),
    };
    auto qp = (*context)->create_qp(*handle, init, call.udata);
    if (!qp) {
        return fail(qp.error());
    }
    ++(*pd)->users;
    ++(*send_cq)->users;
    ++(*recv_cq)->users;
    if (srq != nullptr) {
        ++srq->users;
    }
    hold(call.lasting);
    response.handle = htole32(*handle);
    response.qp_num = htole32((*qp)->qp_num());
    response.cap = to_wire(init.cap);
    qps_.insert(*handle, QpObject{.uctx = call.uctx,
                                  .pd = *pd,
                                  .send_cq = *send_cq,
                                  .recv_cq = *recv_cq,
                                  .srq = srq,
                                  .qp = std::move(*qp),
                                  .sq_sig_all = init.sq_sig_all,
                                  .memory = call.lasting});
    return {};
}

void Verbs::release_qp(QpObject& qp) {
    --qp.pd->users;
    --qp.send_cq->users;
    --qp.recv_cq->users;
    if (qp.srq != nullptr) {
        --qp.srq->users;
    }
    multicast_attachments_ -= static_cast<uint32_t>(qp.groups.size());
    let_go(qp.memory);
}

Result<void> Verbs::modify_qp(Call& call, const vrdma_cmd_modify_qp& request, vrdma_rsp_empty&) {
    auto qp = owned(qps_, call, le32toh(request.handle));
    if (!qp) {
        return fail(qp.error());
    }
    return (*qp)->qp->modify(le32toh(request.attr_mask), from_wire(request.attr), call.udata);
}

Result<void> Verbs::query_qp(Call& call, const vrdma_cmd_query_qp& request,
                             vrdma_rsp_query_qp& response) {
    auto qp = owned(qps_, call, le32toh(request.handle));
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

Result<void> Verbs::destroy_qp(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto qp = owned(qps_, call, le32toh(request.handle));
    if (!qp) {
        return fail(qp.error());
    }
    release_qp(**qp);
    qps_.erase(le32toh(request.handle));
    return {};
}

Result<void> Verbs::create_ah(Call& call, const vrdma_cmd_create_ah& request,
                              vrdma_rsp_handle& response) {
    auto place = place_in_pd(call, request.pd, ahs_, "address handles");
    if (!place) {
        return fail(place.error());
    }
    const rnic::AhAttributes attributes = from_wire(request.attr);
    auto ah = place->context->create_ah(*place->pd->pd, attributes, call.udata);
    if (!ah) {
        return fail(ah.error());
    }
    ++place->pd->users;
    ahs_.insert(
        place->handle,
        AhObject{
            .uctx = call.uctx, .pd = place->pd, .ah = std::move(*ah), .attributes = attributes});
    response.handle = htole32(place->handle);
    return {};
}

Result<void> Verbs::query_ah(Call& call, const vrdma_cmd_handle& request,
                             vrdma_rsp_query_ah& response) {
    auto ah = owned(ahs_, call, le32toh(request.handle));
    if (!ah) {
        return fail(ah.error());
    }
    response.attr = to_wire((*ah)->attributes);
    return {};
}

Result<void> Verbs::destroy_ah(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto ah = owned(ahs_, call, le32toh(request.handle));
    if (!ah) {
        return fail(ah.error());
    }
    --(*ah)->pd->users;
    ahs_.erase(le32toh(request.handle));
    return {};
}

}  // namespace vrdma::device
