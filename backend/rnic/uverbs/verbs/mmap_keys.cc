// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/mmap_keys.h"

#include <cstring>

namespace vrdma::uverbs {

void MmapKeys::remember(const VendorEntry& vendor, uint16_t opcode,
                        std::span<const std::byte> answer) {
    for (const MmapKey& key : vendor.mmap_keys) {
        uint64_t offset;
        if (key.opcode != opcode || answer.size() < key.offset + sizeof(offset)) {
            continue;
        }
        std::memcpy(&offset, answer.data() + key.offset, sizeof(offset));
        // A queue that is not there has the key 0.
        if (offset == 0) {
            continue;
        }
        // Libraries and drivers cut what is within the page off.
        remember(offset & ~uint64_t{VRDMA_SHM_PAGE_SIZE - 1}, key.caching);
    }
}

void MmapKeys::remember(uint64_t offset, uint32_t caching) {
    if (caching_.insert_or_assign(offset, caching).second) {
        oldest_first_.push_back(offset);
    }
    if (oldest_first_.size() > kMax) {
        caching_.erase(oldest_first_.front());
        oldest_first_.pop_front();
    }
}

void MmapKeys::save(state::UverbsContext& context) const {
    for (const uint64_t offset : oldest_first_) {
        state::UverbsMmapKey& key = *context.add_mmap_keys();
        key.set_offset(offset);
        key.set_caching(caching_.at(offset));
    }
}

Result<void> MmapKeys::restore(const state::UverbsContext& saved) {
    if (static_cast<size_t>(saved.mmap_keys_size()) > kMax) {
        return fail(EINVAL);
    }
    for (const state::UverbsMmapKey& key : saved.mmap_keys()) {
        if (key.offset() % VRDMA_SHM_PAGE_SIZE != 0) {
            return fail(EINVAL);
        }
        remember(key.offset(), key.caching());
    }
    return {};
}

std::optional<uint32_t> MmapKeys::caching(const VendorEntry& vendor, uint64_t offset) const {
    if (const auto known = caching_.find(offset); known != caching_.end()) {
        return known->second;
    }
    if (vendor.maps_only_listed && vendor.find_mmap_rule(offset) == nullptr) {
        return std::nullopt;
    }
    return vendor.mmap_rule(offset).caching;
}

}  // namespace vrdma::uverbs
