// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Regions of all the guest's memory, for its kernel.
#include <utility>

#include "rnic/embedded/keys/region.h"

namespace vrdma::embedded {

Region::Region(const Pd& pd, const rnic::DmaMrAttributes& attributes)
    : pd_(&pd), access_(attributes.access), iova_(attributes.base), is_dma_(true) {}

Region::Layout::Layout(const memory::GuestMemory* memory) {
    if (memory == nullptr) {
        return;
    }
    for (const auto& region : memory->regions()) {
        const uint64_t start = region->start().value;
        if (start != length) {
            pieces.push_back({length, nullptr});
        }
        pieces.push_back({start, region->data()});
        keep_mapped.push_back(region);
        length = start + region->size();
    }
}

void Region::use_guest_memory(Layout& layout) {
    exchange(layout);
    std::swap(length_, layout.length);
}

bool Region::avoids_holes(uint64_t offset, uint64_t length) const {
    for (size_t index = piece_at(offset);; ++index) {
        if (pieces_[index].data == nullptr) {
            return false;
        }
        const uint64_t here = rest_of_piece(index, offset).size();
        if (length <= here) {
            return true;
        }
        length -= here;
        offset += here;
    }
}

}  // namespace vrdma::embedded
