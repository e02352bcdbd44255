// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/region_memory.h"

#include "memory/page_size.h"

namespace vrdma::uverbs {

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
        port_.log.warn("{}: a memory region of {} bytes in {} pieces: {}; the verb gets {}",
                       port_.guest, attributes.length, attributes.pieces.size(), reason,
                       to_string(memory.error()));
    }
    return memory;
}

}  // namespace vrdma::uverbs
