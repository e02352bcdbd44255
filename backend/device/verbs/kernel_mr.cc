// SPDX-License-Identifier: Apache-2.0
// What the guest's kernel needs (VRDMA_F_KERNEL_VERBS).
#include "device/verbs/verbs.h"
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {

// It keeps nothing in use: the RNIC follows what the guest has.
Result<void> Verbs::get_dma_mr(Call& call, const vrdma_cmd_get_dma_mr& request,
                               vrdma_rsp_reg_mr& response) {
    auto place = place_in_pd(call, request.pd, mrs_, "memory regions");
    if (!place) {
        return fail(place.error());
    }
    auto mr = place->context->get_dma_mr(
        *place->pd->pd,
        rnic::DmaMrAttributes{.base = le64toh(request.base), .access = le32toh(request.access)});
    if (!mr) {
        return fail(mr.error());
    }
    insert_mr(place->handle,
              MrObject{.uctx = call.uctx, .pd = place->pd, .mr = std::move(*mr), .memory = {}},
              response);
    return {};
}

Result<void> Verbs::alloc_mr(Call& call, const vrdma_cmd_alloc_mr& request,
                             vrdma_rsp_reg_mr& response) {
    const uint32_t max_pages = le32toh(request.max_pages);
    if (options_.attributes.max_fast_reg_pages == 0) {
        return fail(EOPNOTSUPP);
    }
    if (max_pages > options_.attributes.max_fast_reg_pages) {
        return fail(EINVAL);
    }
    auto place = place_in_pd(call, request.pd, mrs_, "memory regions");
    if (!place) {
        return fail(place.error());
    }
    const uint64_t length = sizeof(vrdma_fast_reg) + uint64_t{max_pages} * sizeof(uint64_t);
    const MemoryUse memory{.bytes = length, .runs = call.runs.size()};
    if (auto room = check_room(memory); !room) {
        return room;
    }
    auto description = pin(call.runs, length);
    if (!description) {
        return fail(description.error());
    }
    auto mr = place->context->alloc_mr(
        *place->pd->pd,
        rnic::FastMrAttributes{.max_pages = max_pages, .description = std::move(*description)});
    if (!mr) {
        return fail(mr.error());
    }
    insert_mr(place->handle,
              MrObject{.uctx = call.uctx, .pd = place->pd, .mr = std::move(*mr), .memory = memory},
              response);
    return {};
}

}  // namespace vrdma::device
