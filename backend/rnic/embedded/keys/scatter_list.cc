// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/keys/scatter_list.h"

#include <algorithm>
#include <cstring>

namespace vrdma::embedded {

bool ScatterList::resolve_many(const RegionTable& regions, const Pd& pd, std::span<const Sge> sges,
                               uint32_t access, uint64_t skip, uint64_t length) {
    for (const Sge& sge : sges) {
        if (length == 0) {
            return true;
        }
        if (skip >= sge.length) {
            skip -= sge.length;
            continue;
        }
        const uint64_t here = std::min<uint64_t>(sge.length - skip, length);
        if (!add(regions, pd, sge.key, sge.address, sge.length, access, skip, here)) {
            return false;
        }
        length -= here;
        skip = 0;
    }
    return true;
}

// Adds bytes of a region that is not all in one place.
bool ScatterList::add_pieces(const Region& region, uint64_t offset, uint64_t size, uint64_t skip,
                             uint64_t length) {
    if (!region.backed(offset - skip, size)) {
        return false;
    }
    parts_[count_++] = {region.place(offset, length), &region, offset, length};
    return true;
}

std::span<std::byte> ScatterCursor::peek(uint64_t limit) {
    const ScatterList::Part* part = &list_.parts_[part_];
    while (used_ == part->length) {
        part = &list_.parts_[++part_];
        used_ = 0;
        piece_known_ = false;
    }
    const uint64_t left = std::min(limit, part->length - used_);
    if (part->direct != nullptr) {
        return {part->direct + used_, left};
    }
    const uint64_t offset = part->offset + used_;
    if (!piece_known_) {
        piece_ = part->region->piece_at(offset);
        piece_known_ = true;
    }
    auto rest = part->region->rest_of_piece(piece_, offset);
    if (rest.empty()) {
        rest = part->region->rest_of_piece(++piece_, offset);
    }
    return rest.first(std::min<uint64_t>(left, rest.size()));
}

void ScatterCursor::advance(uint64_t bytes) {
    used_ += bytes;
}

uint64_t copy_pieces(const ScatterList& to, const ScatterList& from, uint64_t length,
                     unsigned& steps) {
    ScatterCursor target(to);
    ScatterCursor source(from);
    uint64_t copied = 0;
    for (; copied != length && steps != 0; --steps) {
        const auto in = source.peek(length - copied);
        const auto out = target.peek(in.size());
        std::memmove(out.data(), in.data(), out.size());
        source.advance(out.size());
        target.advance(out.size());
        copied += out.size();
    }
    return copied;
}

}  // namespace vrdma::embedded
