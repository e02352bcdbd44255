// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/shm/shm_allocator.h"

#include <iterator>

namespace vrdma::device {

ShmAllocator::ShmAllocator(uint64_t size) : size_(size) {
    if (size != 0) {
        free_.emplace(0, size);
    }
}

Result<uint64_t> ShmAllocator::allocate(uint64_t length) {
    for (auto it = free_.begin(); it != free_.end(); ++it) {
        if (it->second < length) {
            continue;
        }
        const auto [offset, available] = *it;
        free_.erase(it);
        if (available != length) {
            free_.emplace(offset + length, available - length);
        }
        used_ += length;
        return offset;
    }
    return fail(ENOMEM);
}

void ShmAllocator::take(uint64_t offset, uint64_t length) {
    const auto it = std::prev(free_.upper_bound(offset));
    const auto [start, available] = *it;
    const uint64_t end = start + available;
    free_.erase(it);
    if (start != offset) {
        free_.emplace(start, offset - start);
    }
    if (offset + length != end) {
        free_.emplace(offset + length, end - (offset + length));
    }
    used_ += length;
}

Result<void> ShmAllocator::claim(uint64_t offset, uint64_t length) {
    const auto after = free_.upper_bound(offset);
    if (length == 0 || after == free_.begin()) {
        return fail(EINVAL);
    }
    const auto [start, available] = *std::prev(after);
    const uint64_t before = offset - start;
    if (before > available || length > available - before) {
        return fail(EINVAL);
    }
    take(offset, length);
    return {};
}

void ShmAllocator::free(uint64_t offset, uint64_t length) {
    used_ -= length;
    auto next = free_.lower_bound(offset);
    if (next != free_.end() && offset + length == next->first) {
        length += next->second;
        next = free_.erase(next);
    }
    if (next != free_.begin()) {
        auto previous = std::prev(next);
        if (previous->first + previous->second == offset) {
            previous->second += length;
            return;
        }
    }
    free_.emplace(offset, length);
}

}  // namespace vrdma::device
