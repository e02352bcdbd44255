// SPDX-License-Identifier: Apache-2.0
// Regions of all the guest's memory, for its kernel.
#include <algorithm>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/keys/region.h"

namespace vrdma::embedded {

Result<std::unique_ptr<Mr>> Mr::create_dma(Engine& engine, PortState& port, const Pd& pd,
                                           const rnic::DmaMrAttributes& attributes) {
    if (auto checked = check_access(attributes.access); !checked) return fail(checked.error());
    auto count =
        LiveCount::take(engine.live.memory_regions, port.live.memory_regions, engine.limits.max_mr);
    if (!count) return fail(ENOMEM);
    const rnic::MrAttributes whole{.start = {},
                                   .iova = {attributes.base},
                                   .length = 0,
                                   .access = attributes.access,
                                   .pieces = {}};
    std::unique_ptr<Mr> mr(new Mr(engine, port, pd, whole, std::move(*count)));
    mr->is_dma_ = true;
    Gate::Pause pause(engine.gate);
    mr->use_guest_memory(port.memory.get());
    port.mrs.insert(*mr);
    port.dma_regions.push_back(mr.get());
    return mr;
}

void Mr::use_guest_memory(const memory::GuestMemory* memory) {
    pieces_.clear();
    keep_mapped_.clear();
    length_ = 0;
    if (memory == nullptr) return;
    for (const auto& region : memory->regions()) {
        const uint64_t start = region->start().value;
        if (start != length_) pieces_.push_back({length_, nullptr});
        pieces_.push_back({start, region->data()});
        keep_mapped_.push_back(region);
        length_ = start + region->size();
    }
}

bool Mr::avoids_holes(uint64_t offset, uint64_t length) const {
    for (size_t index = piece_at(offset);; ++index) {
        if (pieces_[index].data == nullptr) return false;
        const uint64_t here = rest_of_piece(index, offset).size();
        if (length <= here) return true;
        length -= here;
        offset += here;
    }
}

}  // namespace vrdma::embedded
