// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Completion queues.
#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving&, CqObject& object, state::Cq& state) {
    for (const MemoryCharge& charge : object.charges) {
        *state.add_charges() = to_state(charge);
    }
    return object.cq->save(state);
}

Result<void> restore(Restoring& restoring, const state::Cq& state) {
    ObjectTables& objects = restoring.objects();
    auto context = objects.context(state.uctx());
    if (!context) {
        return fail(context.error());
    }
    if (auto free = objects.cqs.check_free(state.handle()); !free) {
        return free;
    }
    auto cq = (*context)->restore_cq(state);
    if (!cq) {
        return fail(cq.error());
    }
    CqObject object{.uctx = state.uctx(), .charges = {}, .cq = std::move(*cq)};
    for (const state::MemoryCharge& charge : state.charges()) {
        object.charges.push_back(restoring.verbs.quota().take(from_state(charge)));
    }
    objects.cqs.insert(state.handle(), std::move(object));
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {

Result<void> create_cq(Verbs& verbs, Call& call, const vrdma_cmd_create_cq& request,
                       vrdma_rsp_create_cq& response) {
    auto context = verbs.objects().context(call.uctx);
    if (!context) {
        return fail(context.error());
    }
    if (le32toh(request.comp_vector) >= VRDMA_MAX_COMP_VECTORS) {
        return fail(EINVAL);
    }
    auto handle = verbs.objects().cqs.reserve();
    if (!handle) {
        return fail(handle.error());
    }
    auto charge = verbs.quota().charge(call.lasting);
    if (!charge) {
        return fail(charge.error());
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
    CqObject object{.uctx = call.uctx, .charges = {}, .cq = std::move(*cq)};
    object.charges.push_back(std::move(*charge));
    verbs.objects().cqs.insert(*handle, std::move(object));
    response.handle = htole32(*handle);
    response.cqe = htole32(attributes.cqe);
    return {};
}

Result<void> resize_cq(Verbs& verbs, Call& call, const vrdma_cmd_resize_cq& request,
                       vrdma_rsp_resize_cq& response) {
    auto cq = verbs.objects().cqs.owned(call.uctx, le32toh(request.handle));
    if (!cq) {
        return fail(cq.error());
    }
    auto charge = verbs.quota().charge(call.lasting);
    if (!charge) {
        return fail(charge.error());
    }
    uint32_t cqe = le32toh(request.cqe);
    if (auto result = (*cq)->cq->resize(cqe, call.udata); !result) {
        return result;
    }
    if (call.lasting.bytes != 0) {
        (*cq)->charges.push_back(std::move(*charge));
    }
    response.cqe = htole32(cqe);
    return {};
}

Result<void> destroy_cq(Verbs& verbs, Call& call, const vrdma_cmd_handle& request,
                        vrdma_rsp_empty&) {
    return verbs.objects().cqs.destroy(call.uctx, le32toh(request.handle));
}

}  // namespace vrdma::device::verb
