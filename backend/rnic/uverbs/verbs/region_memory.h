// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "memory/placed_pages.h"
#include "memory/stitched_mapping.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/port_state.h"

namespace vrdma::uverbs {

// Where the kernel finds the memory of a region while it registers it.
struct RegionMemory {
    uint64_t start = 0;
    memory::StitchedMapping stitched;   // for as long as the command, or
    memory::PlacedPages::Lease placed;  // as long as the region
};

// Lays out the regions of one user context in this process.
class RegionLayout {
  public:
    explicit RegionLayout(PortState& port) : port_(port) {}

    // Says in the log why not.
    Result<RegionMemory> lay_out(const rnic::MrAttributes& attributes);

  private:
    Result<RegionMemory> find_place(const rnic::MrAttributes& attributes, std::string& reason);

    PortState& port_;
    memory::PlacedPages placed_pages_;
};

}  // namespace vrdma::uverbs
