// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/chain_builder.h"

#include <algorithm>

namespace vrdma::vhost {

ChainBuilder::ChainBuilder(const memory::GuestMemory& memory, uint32_t max_descriptors,
                           std::vector<memory::HostRange> segments)
    : memory_(memory), max_descriptors_(max_descriptors), segments_(std::move(segments)) {
    segments_.clear();
}

RingResult<void> ChainBuilder::add(uint64_t address, uint32_t length, bool writable) {
    // A chain is never longer than the queue (virtio 1.2, 2.7.5.1), so that a loop ends here.
    if (++descriptors_ > max_descriptors_) {
        return ring_error("a descriptor chain is longer than the queue or loops");
    }
    if (length == 0) {
        return ring_error("a descriptor has length zero");
    }
    if (!writable && writable_size_ != 0) {
        return ring_error("a readable descriptor follows a writable one");
    }
    if (readable_size_ + writable_size_ + length > UINT32_MAX) {
        return ring_error("a descriptor chain has more than 2^32 - 1 bytes");
    }
    if (auto added = add_pieces(address, length); !added) {
        return added;
    }
    if (writable) {
        writable_size_ += length;
    } else {
        readable_size_ += length;
        readable_count_ = segments_.size();
    }
    return {};
}

RingResult<memory::HostRange> ChainBuilder::translate(uint64_t address, uint32_t length) const {
    auto range = memory_.translate(memory::GuestPhysicalAddress{address}, length);
    if (!range) {
        return ring_error("an indirect table is not in the guest's memory");
    }
    return *range;
}

RingResult<void> ChainBuilder::add_pieces(uint64_t address, uint64_t length) {
    if (auto range = memory_.translate(memory::GuestPhysicalAddress{address}, length)) {
        segments_.push_back(*range);
        return {};
    }
    // Regions that adjoin are one memory to the guest: a buffer may span them.
    if (length - 1 > UINT64_MAX - address) {
        return ring_error("a descriptor's buffer wraps around the address space");
    }
    for (const auto& region : memory_.regions()) {
        const uint64_t start = region->start().value;
        if (address < start || address - start >= region->size()) {
            continue;
        }
        const uint64_t offset = address - start;
        const uint64_t piece = std::min(length, region->size() - offset);
        segments_.push_back({region->data() + offset, piece});
        length -= piece;
        if (length == 0) {
            return {};
        }
        address += piece;
    }
    return ring_error("a descriptor's buffer is not in the guest's memory");
}

}  // namespace vrdma::vhost
