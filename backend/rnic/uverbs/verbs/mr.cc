// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/mr.h"

#include <infiniband/verbs.h>
#include <rdma/ib_user_ioctl_verbs.h>

#include "memory/page_size.h"
#include "rnic/uverbs/verbs/pd.h"
#include "rnic/verbs_abi.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kMrKind{
    .name = "memory region",
    .destroy = destroy_by_handle<ib_uverbs_dereg_mr, IB_USER_VERBS_CMD_DEREG_MR>,
    .counter = &rnic::LiveObjects::memory_regions,
};

// With on-demand paging the kernel would come back for pages to a mapping that is gone by then.
bool comes_back_for_pages(uint32_t access) {
    return (access & rnic::kAccessOnDemand) != 0;
}

void explain_refusal(const ContextState& context, Errno error, uint64_t length) {
    if (error == Errno{ENOMEM}) {
        context.port.log.warn(
            error,
            "{}: the kernel does not pin a memory region of {} bytes: too little memory, or "
            "more than RLIMIT_MEMLOCK (give vrdmad CAP_IPC_LOCK)",
            context.port.guest, length);
    }
}

uint32_t kernel_flags(const rnic::MrChanges& changes) {
    uint32_t flags = 0;
    if (changes.translation) {
        flags |= rnic::kReregTranslation;
    }
    if (changes.pd) {
        flags |= rnic::kReregPd;
    }
    if (changes.access) {
        flags |= rnic::kReregAccess;
    }
    return flags;
}

}  // namespace

Result<RegionMemory> RegionLayout::find_place(const rnic::MrAttributes& attributes,
                                              std::string& reason) {
    RegionMemory memory;
    memory::MappingBudget& budget = port_.rnic->mappings;
    if (port_.rnic->vendor.regions_by_start) {
        memory.start = attributes.start.value;
        auto placed = placed_pages_.place(memory.start, attributes.pieces, budget, reason);
        if (!placed) {
            return fail(placed.error());
        }
        memory.placed = std::move(*placed);
        return memory;
    }
    // The kernel pins the pages during the command.
    auto stitched = memory::StitchedMapping::make(
        attributes.pieces, attributes.iova.value % memory::system_page_size(), budget, reason);
    if (!stitched) {
        return fail(stitched.error());
    }
    memory.start = reinterpret_cast<uintptr_t>(stitched->data());
    memory.stitched = std::move(*stitched);
    return memory;
}

Result<RegionMemory> RegionLayout::lay_out(const rnic::MrAttributes& attributes) {
    std::string reason;
    auto memory = find_place(attributes, reason);
    if (!memory) {
        port_.log.warn(memory.error(),
                       "{}: a memory region of {} bytes in {} pieces: {}; the verb gets {}",
                       port_.guest, attributes.length, attributes.pieces.size(), reason,
                       to_string(memory.error()));
    }
    return memory;
}

Result<std::unique_ptr<rnic::MemoryRegion>> Mr::create(const ContextState& context,
                                                       RegionLayout& layout,
                                                       const rnic::ProtectionDomain& pd,
                                                       const rnic::MrAttributes& attributes,
                                                       rnic::Udata& udata) {
    if (comes_back_for_pages(attributes.access)) {
        return fail(EOPNOTSUPP);
    }
    auto memory = layout.lay_out(attributes);
    if (!memory) {
        return fail(memory.error());
    }
    ib_uverbs_reg_mr request{};
    request.start = memory->start;
    request.length = attributes.length;
    request.hca_va = attributes.iova.value;
    request.pd_handle = handle_of(pd);
    request.access_flags = attributes.access;
    ib_uverbs_reg_mr_resp kernel{};
    auto registered =
        context.execute(VRDMA_CMD_REG_MR, {IB_USER_VERBS_CMD_REG_MR, request, kernel}, udata);
    if (!registered) {
        explain_refusal(context, registered.error(), attributes.length);
        return fail(registered.error());
    }
    return std::make_unique<Mr>(context, layout, kernel, std::move(memory->placed));
}

Mr::Mr(const ContextState& context, RegionLayout& layout, const ib_uverbs_reg_mr_resp& kernel,
       memory::PlacedPages::Lease placed)
    : layout_(layout),
      placed_(std::move(placed)),
      object_(context, kMrKind, kernel.mr_handle),
      lkey_(kernel.lkey),
      rkey_(kernel.rkey) {}

Result<void> Mr::reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata& udata) {
    if (changes.access && comes_back_for_pages(attributes.access)) {
        return fail(EOPNOTSUPP);
    }
    const ContextState& context = object_.context();
    ib_uverbs_rereg_mr request{};
    request.mr_handle = object_.handle();
    request.flags = kernel_flags(changes);
    request.access_flags = attributes.access;
    if (changes.pd) {
        request.pd_handle = handle_of(*pd);
    }
    RegionMemory memory;
    if (changes.translation) {
        auto laid_out = layout_.lay_out(attributes);
        if (!laid_out) {
            return fail(laid_out.error());
        }
        memory = std::move(*laid_out);
        request.start = memory.start;
        request.length = attributes.length;
        request.hca_va = attributes.iova.value;
    }
    ib_uverbs_rereg_mr_resp kernel{};
    auto changed =
        context.execute(VRDMA_CMD_REREG_MR, {IB_USER_VERBS_CMD_REREG_MR, request, kernel}, udata);
    if (!changed) {
        explain_refusal(context, changed.error(), attributes.length);
        return changed;
    }
    lkey_ = kernel.lkey;
    rkey_ = kernel.rkey;
    if (changes.translation) {
        placed_ = std::move(memory.placed);
    }
    return {};
}

Result<void> Mr::deregister() {
    if (!object_.context().usable()) {
        return {};  // the region is gone with the RNIC
    }
    return object_.destroy();
}

Result<void> Mr::save(state::Mr& mr) const {
    if (object_.context().port.rnic->vendor.regions_by_start) {
        return fail(EOPNOTSUPP);
    }
    state::UverbsMr& saved = *mr.mutable_uverbs();
    saved.set_kernel_handle(object_.handle());
    saved.set_lkey(lkey_);
    saved.set_rkey(rkey_);
    return {};
}

Result<std::unique_ptr<rnic::MemoryRegion>> Mr::restore(const ContextState& context,
                                                        RegionLayout& layout,
                                                        const state::Mr& saved) {
    if (!saved.has_uverbs()) {
        return fail(EINVAL);
    }
    ib_uverbs_reg_mr_resp kernel{};
    kernel.mr_handle = saved.uverbs().kernel_handle();
    kernel.lkey = saved.uverbs().lkey();
    kernel.rkey = saved.uverbs().rkey();
    return std::make_unique<Mr>(context, layout, kernel, memory::PlacedPages::Lease());
}

}  // namespace vrdma::uverbs
