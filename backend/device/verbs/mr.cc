// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory regions: those of the guest's processes, and with VRDMA_F_KERNEL_VERBS those of its
// kernel.
#include <vrdma_check.h>

#include "device/verbs/object_state.h"
#include "device/verbs/verbs.h"

namespace vrdma::device {

Result<void> save(Saving& saving, MrObject& object, state::Mr& state) {
    state.set_pd(saving.handle_of(object.pd.get()));
    *state.mutable_charge() = to_state(object.charge);
    return object.mr->save(state);
}

Result<void> restore(Restoring& restoring, const state::Mr& state) {
    ObjectTables& objects = restoring.objects();
    auto place = objects.place_in_pd(state.uctx(), state.pd(), objects.mrs, state.handle());
    if (!place) {
        return fail(place.error());
    }
    auto mr = place->context->restore_mr(*place->pd->pd, state, restoring.memory);
    if (!mr) {
        return fail(mr.error());
    }
    objects.mrs.insert(state.handle(),
                       MrObject{.uctx = state.uctx(),
                                .pd = Ref(*place->pd),
                                .charge = restoring.verbs.quota().take(from_state(state.charge())),
                                .mr = std::move(*mr)});
    return {};
}

}  // namespace vrdma::device

namespace vrdma::device::verb {
namespace {

void answer(uint32_t handle, const rnic::MemoryRegion& mr, vrdma_rsp_reg_mr& response) {
    response.handle = htole32(handle);
    response.lkey = htole32(mr.lkey());
    response.rkey = htole32(mr.rkey());
}

// Inserts a region that the RNIC has made, and answers with its handle and keys.
void insert(Verbs& verbs, const Call& call, const ObjectTables::Place& place, MemoryCharge charge,
            std::unique_ptr<rnic::MemoryRegion> mr, vrdma_rsp_reg_mr& response) {
    answer(place.handle, *mr, response);
    verbs.objects().mrs.insert(place.handle, MrObject{.uctx = call.uctx,
                                                      .pd = Ref(*place.pd),
                                                      .charge = std::move(charge),
                                                      .mr = std::move(mr)});
}

// Guest memory of a region, charged to the guest.
struct RegionMemory {
    MemoryCharge charge;
    std::vector<memory::PinnedRange> pieces;
};

// Pins the runs of the request, which must sum up to the extent of `length` bytes, and charges the
// pieces.  Errors of GuestRuns::pin() and MemoryQuota::charge(), in this order.
Result<RegionMemory> region_memory(Verbs& verbs, const Call& call, uint64_t length) {
    const uint64_t extent = vrdma_region_extent(length);
    auto pieces = call.runs.pin(extent);
    if (!pieces) {
        return fail(pieces.error());
    }
    auto charge = verbs.quota().charge({.bytes = extent, .runs = pieces->size()});
    if (!charge) {
        return fail(charge.error());
    }
    return RegionMemory{.charge = std::move(*charge), .pieces = std::move(*pieces)};
}

}  // namespace

Result<void> reg_mr(Verbs& verbs, Call& call, const vrdma_cmd_reg_mr& request,
                    vrdma_rsp_reg_mr& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().mrs);
    if (!place) {
        return fail(place.error());
    }
    const uint64_t length = le64toh(request.length);
    if (length > verbs.attributes().max_mr_size) {
        return fail(EINVAL);
    }
    auto memory = region_memory(verbs, call, length);
    if (!memory) {
        return fail(memory.error());
    }
    auto mr = place->context->reg_mr(*place->pd->pd,
                                     rnic::MrAttributes{
                                         .start = {le64toh(request.start)},
                                         .iova = {le64toh(request.iova)},
                                         .length = length,
                                         .access = le32toh(request.access),
                                         .pieces = std::move(memory->pieces),
                                     },
                                     call.udata);
    if (!mr) {
        return fail(mr.error());
    }
    insert(verbs, call, *place, std::move(memory->charge), std::move(*mr), response);
    return {};
}

Result<void> get_dma_mr(Verbs& verbs, Call& call, const vrdma_cmd_get_dma_mr& request,
                        vrdma_rsp_reg_mr& response) {
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().mrs);
    if (!place) {
        return fail(place.error());
    }
    auto mr = place->context->get_dma_mr(
        *place->pd->pd,
        rnic::DmaMrAttributes{.base = le64toh(request.base), .access = le32toh(request.access)});
    if (!mr) {
        return fail(mr.error());
    }
    insert(verbs, call, *place, {}, std::move(*mr), response);
    return {};
}

Result<void> alloc_mr(Verbs& verbs, Call& call, const vrdma_cmd_alloc_mr& request,
                      vrdma_rsp_reg_mr& response) {
    const uint32_t max_pages = le32toh(request.max_pages);
    if (verbs.attributes().max_fast_reg_pages == 0) {
        return fail(EOPNOTSUPP);
    }
    if (max_pages > verbs.attributes().max_fast_reg_pages) {
        return fail(EINVAL);
    }
    auto place = verbs.objects().place_in_pd(call.uctx, le32toh(request.pd), verbs.objects().mrs);
    if (!place) {
        return fail(place.error());
    }
    auto description =
        region_memory(verbs, call, sizeof(vrdma_fast_reg) + uint64_t{max_pages} * sizeof(uint64_t));
    if (!description) {
        return fail(description.error());
    }
    auto mr = place->context->alloc_mr(
        *place->pd->pd, rnic::FastMrAttributes{.max_pages = max_pages,
                                               .description = std::move(description->pieces)});
    if (!mr) {
        return fail(mr.error());
    }
    insert(verbs, call, *place, std::move(description->charge), std::move(*mr), response);
    return {};
}

Result<void> rereg_mr(Verbs& verbs, Call& call, const vrdma_cmd_rereg_mr& request,
                      vrdma_rsp_reg_mr& response) {
    auto found = verbs.objects().mrs.owned(call.uctx, le32toh(request.handle));
    if (!found) {
        return fail(found.error());
    }
    MrObject& mr = **found;
    const uint32_t flags = le32toh(request.flags);
    const rnic::MrChanges changes{.translation = (flags & VRDMA_REREG_TRANS) != 0,
                                  .pd = (flags & VRDMA_REREG_PD) != 0,
                                  .access = (flags & VRDMA_REREG_ACCESS) != 0};
    PdObject* pd = nullptr;
    if (changes.pd) {
        auto new_pd = verbs.objects().pds.owned(call.uctx, le32toh(request.pd));
        if (!new_pd) {
            return fail(new_pd.error());
        }
        pd = *new_pd;
    }
    rnic::MrAttributes attributes{
        .start = {}, .iova = {}, .length = 0, .access = le32toh(request.access), .pieces = {}};
    MemoryCharge charge;
    if (changes.translation) {
        attributes.start = {le64toh(request.start)};
        attributes.iova = {le64toh(request.iova)};
        attributes.length = le64toh(request.length);
        if (attributes.length > verbs.attributes().max_mr_size) {
            return fail(EINVAL);
        }
        // The old memory stays charged until the new memory has taken its place.
        auto memory = region_memory(verbs, call, attributes.length);
        if (!memory) {
            return fail(memory.error());
        }
        charge = std::move(memory->charge);
        attributes.pieces = std::move(memory->pieces);
    }
    auto result = mr.mr->reregister(changes, pd == nullptr ? nullptr : pd->pd.get(),
                                    std::move(attributes), call.udata);
    if (!result) {
        return result;
    }
    if (changes.pd) {
        mr.pd = Ref(*pd);
    }
    if (changes.translation) {
        mr.charge = std::move(charge);
    }
    answer(le32toh(request.handle), *mr.mr, response);
    return {};
}

Result<void> dereg_mr(Verbs& verbs, Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto mr = verbs.objects().mrs.owned(call.uctx, le32toh(request.handle));
    if (!mr) {
        return fail(mr.error());
    }
    if (auto free = (*mr)->mr->deregister(); !free) {
        return free;
    }
    verbs.objects().mrs.erase(le32toh(request.handle));
    return {};
}

}  // namespace vrdma::device::verb
