// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory regions.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <memory>

#include "memory/placed_pages.h"
#include "memory/stitched_mapping.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

// Where the kernel finds the memory of a region while it registers it.
struct RegionMemory {
    uint64_t start = 0;
    memory::StitchedMapping stitched;   // lives as long as the command; or else
    memory::PlacedPages::Lease placed;  // lives as long as the region
};

// Lays out the regions of one user context in this process.
class RegionLayout {
  public:
    explicit RegionLayout(PortState& port) : port_(port) {}

    // Errors: those of StitchedMapping::make() or PlacedPages::place(), which a line in the log
    // explains.
    Result<RegionMemory> lay_out(const rnic::MrAttributes& attributes);

  private:
    Result<RegionMemory> find_place(const rnic::MrAttributes& attributes, std::string& reason);

    PortState& port_;
    memory::PlacedPages placed_pages_;
};

class Mr final : public rnic::MemoryRegion {
  public:
    // REG_MR.  `context` and `layout` outlive the object.  Errors: EOPNOTSUPP for on-demand paging,
    // those of RegionLayout::lay_out() and the kernel's.
    static Result<std::unique_ptr<rnic::MemoryRegion>> create(const ContextState& context,
                                                              RegionLayout& layout,
                                                              const rnic::ProtectionDomain& pd,
                                                              const rnic::MrAttributes& attributes,
                                                              rnic::Udata& udata);

    Mr(const ContextState& context, RegionLayout& layout, const ib_uverbs_reg_mr_resp& kernel,
       memory::PlacedPages::Lease placed);

    uint32_t lkey() const override { return lkey_; }
    uint32_t rkey() const override { return rkey_; }
    Result<void> reregister(const rnic::MrChanges& changes, rnic::ProtectionDomain* pd,
                            rnic::MrAttributes attributes, rnic::Udata& udata) override;
    Result<void> deregister() override;
    // EOPNOTSUPP for a region of which the driver asks where it is in this process (siw).
    Result<void> save(state::Mr& mr) const override;
    // What save() wrote.
    static Result<std::unique_ptr<rnic::MemoryRegion>> restore(const ContextState& context,
                                                               RegionLayout& layout,
                                                               const state::Mr& saved);

  private:
    RegionLayout& layout_;
    memory::PlacedPages::Lease placed_;  // declared first: it goes after the kernel's object
    KernelObject object_;
    uint32_t lkey_;
    uint32_t rkey_;
};

}  // namespace vrdma::uverbs
