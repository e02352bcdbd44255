// SPDX-License-Identifier: Apache-2.0
// Protection domains, memory regions and memory windows.
#include "device/verbs/verbs.h"
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {

Result<void> Verbs::alloc_pd(Call& call, const vrdma_cmd_empty&, vrdma_rsp_handle& response) {
    auto context = this->context(call);
    if (!context) {
        return fail(context.error());
    }
    auto handle = reserve(pds_, "protection domains");
    if (!handle) {
        return fail(handle.error());
    }
    auto pd = (*context)->alloc_pd(call.udata);
    if (!pd) {
        return fail(pd.error());
    }
    pds_.insert(*handle, PdObject{.uctx = call.uctx, .pd = std::move(*pd)});
    response.handle = htole32(*handle);
    return {};
}

Result<void> Verbs::dealloc_pd(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto pd = owned(pds_, call, le32toh(request.handle));
    if (!pd) {
        return fail(pd.error());
    }
    if ((*pd)->users != 0) {
        return fail(EBUSY);
    }
    pds_.erase(le32toh(request.handle));
    return {};
}

// A run may span regions of guest memory that adjoin.
Result<std::vector<memory::PinnedRange>> Verbs::pin(std::span<const vrdma_run> runs,
                                                    uint64_t length) const {
    const auto memory = memory_();
    if (memory == nullptr) {
        return fail(EFAULT);
    }
    std::vector<memory::PinnedRange> pieces;
    pieces.reserve(runs.size());
    uint64_t sum = 0;
    for (const vrdma_run& run : runs) {
        if (!vrdma_run_valid(&run)) {
            return fail(EINVAL);
        }
        uint64_t address = le64toh(run.gpa);
        uint64_t left = le64toh(run.length);
        if (left > length - sum) {
            return fail(EINVAL);
        }
        sum += left;
        while (left != 0) {
            auto piece = memory->pin_prefix(memory::GuestPhysicalAddress{address}, left);
            if (!piece) {
                return fail(piece.error());
            }
            address += piece->range.size;
            left -= piece->range.size;
            pieces.push_back(std::move(*piece));
        }
    }
    if (sum != length) {
        return fail(EINVAL);
    }
    return pieces;
}

// EDQUOT and a log line when the guest may not keep that much more memory in use.
Result<void> Verbs::check_room(const MemoryUse& memory) {
    const Limits& limits = options_.limits;
    if (memory.bytes <= limits.registered_bytes - registered_bytes_ &&
        memory.runs <= limits.total_mr_runs - registered_runs_) {
        return {};
    }
    log_.warn(
        "{}: limit reached: {} bytes in {} runs are registered, {} and {} are allowed; "
        "the verb gets {}",
        options_.guest, registered_bytes_, registered_runs_, limits.registered_bytes,
        limits.total_mr_runs, to_string(Errno{EDQUOT}));
    return fail(EDQUOT);
}

void Verbs::hold(const MemoryUse& memory) {
    registered_bytes_ += memory.bytes;
    registered_runs_ += memory.runs;
}

void Verbs::let_go(const MemoryUse& memory) {
    registered_bytes_ -= memory.bytes;
    registered_runs_ -= memory.runs;
}

Result<void> Verbs::reg_mr(Call& call, const vrdma_cmd_reg_mr& request,
                           vrdma_rsp_reg_mr& response) {
    auto place = place_in_pd(call, request.pd, mrs_, "memory regions");
    if (!place) {
        return fail(place.error());
    }
    const uint64_t length = le64toh(request.length);
    if (length > options_.attributes.max_mr_size) {
        return fail(EINVAL);
    }
    const MemoryUse memory{.bytes = length, .runs = call.runs.size()};
    if (auto room = check_room(memory); !room) {
        return room;
    }
    auto pieces = pin(call.runs, length);
    if (!pieces) {
        return fail(pieces.error());
    }
    auto mr = place->context->reg_mr(*place->pd->pd,
                                     rnic::MrAttributes{
                                         .start = {le64toh(request.start)},
                                         .iova = {le64toh(request.iova)},
                                         .length = length,
                                         .access = le32toh(request.access),
                                         .pieces = std::move(*pieces),
                                     },
                                     call.udata);
    if (!mr) {
        return fail(mr.error());
    }
    insert_mr(place->handle,
              MrObject{.uctx = call.uctx, .pd = place->pd, .mr = std::move(*mr), .memory = memory},
              response);
    return {};
}

void Verbs::insert_mr(uint32_t handle, MrObject mr, vrdma_rsp_reg_mr& response) {
    response.handle = htole32(handle);
    response.lkey = htole32(mr.mr->lkey());
    response.rkey = htole32(mr.mr->rkey());
    ++mr.pd->users;
    hold(mr.memory);
    mrs_.insert(handle, std::move(mr));
}

void Verbs::release_mr(MrObject& mr) {
    --mr.pd->users;
    let_go(mr.memory);
}

Result<void> Verbs::dereg_mr(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto mr = owned(mrs_, call, le32toh(request.handle));
    if (!mr) {
        return fail(mr.error());
    }
    if (auto free = (*mr)->mr->deregister(); !free) {
        return free;
    }
    release_mr(**mr);
    mrs_.erase(le32toh(request.handle));
    return {};
}

Result<void> Verbs::rereg_mr(Call& call, const vrdma_cmd_rereg_mr& request,
                             vrdma_rsp_reg_mr& response) {
    auto found = owned(mrs_, call, le32toh(request.handle));
    if (!found) {
        return fail(found.error());
    }
    MrObject& mr = **found;
    const uint32_t flags = le32toh(request.flags);
    const rnic::MrChanges changes{.translation = (flags & VRDMA_REREG_TRANS) != 0,
                                  .pd = (flags & VRDMA_REREG_PD) != 0,
                                  .access = (flags & VRDMA_REREG_ACCESS) != 0};
    PdObject* pd = mr.pd;
    if (changes.pd) {
        auto new_pd = owned(pds_, call, le32toh(request.pd));
        if (!new_pd) {
            return fail(new_pd.error());
        }
        pd = *new_pd;
    }
    rnic::MrAttributes attributes{
        .start = {}, .iova = {}, .length = 0, .access = le32toh(request.access), .pieces = {}};
    MemoryUse memory = mr.memory;
    if (changes.translation) {
        attributes.start = {le64toh(request.start)};
        attributes.iova = {le64toh(request.iova)};
        attributes.length = le64toh(request.length);
        if (attributes.length > options_.attributes.max_mr_size) {
            return fail(EINVAL);
        }
        memory = {.bytes = attributes.length, .runs = call.runs.size()};
        // The old memory counts as long as the new one may not take its place.
        if (auto room = check_room(memory); !room) {
            return room;
        }
        auto pieces = pin(call.runs, attributes.length);
        if (!pieces) {
            return fail(pieces.error());
        }
        attributes.pieces = std::move(*pieces);
    }
    auto result = mr.mr->reregister(changes, changes.pd ? pd->pd.get() : nullptr,
                                    std::move(attributes), call.udata);
    if (!result) {
        return result;
    }
    --mr.pd->users;
    ++pd->users;
    mr.pd = pd;
    let_go(mr.memory);
    hold(memory);
    mr.memory = memory;
    response.handle = request.handle;
    response.lkey = htole32(mr.mr->lkey());
    response.rkey = htole32(mr.mr->rkey());
    return {};
}

Result<void> Verbs::alloc_mw(Call& call, const vrdma_cmd_alloc_mw& request,
                             vrdma_rsp_alloc_mw& response) {
    auto place = place_in_pd(call, request.pd, mws_, "memory windows");
    if (!place) {
        return fail(place.error());
    }
    auto mw = place->context->alloc_mw(*place->pd->pd, request.type, call.udata);
    if (!mw) {
        return fail(mw.error());
    }
    ++place->pd->users;
    response.handle = htole32(place->handle);
    response.rkey = htole32((*mw)->rkey());
    mws_.insert(place->handle, MwObject{.uctx = call.uctx, .pd = place->pd, .mw = std::move(*mw)});
    return {};
}

Result<void> Verbs::dealloc_mw(Call& call, const vrdma_cmd_handle& request, vrdma_rsp_empty&) {
    auto mw = owned(mws_, call, le32toh(request.handle));
    if (!mw) {
        return fail(mw.error());
    }
    --(*mw)->pd->users;
    mws_.erase(le32toh(request.handle));
    return {};
}

}  // namespace vrdma::device
