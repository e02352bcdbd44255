// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/rings/descriptor_chain.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace vrdma::vhost {
namespace {

// Calls `copy(part of the buffer at, host bytes, length)` for `length` bytes from
// `offset`, which the segments are known to have.
template <typename Copy>
void for_each_piece(std::span<const memory::HostRange> segments, size_t offset, size_t length,
                    Copy copy) {
    size_t done = 0;
    for (const auto& segment : segments) {
        if (done == length) {
            return;
        }
        if (offset >= segment.size) {
            offset -= segment.size;
            continue;
        }
        const size_t piece = std::min(length - done, segment.size - offset);
        copy(done, segment.data + offset, piece);
        done += piece;
        offset = 0;
    }
}

}  // namespace

Result<void> DescriptorChain::read(size_t offset, std::span<std::byte> out) const {
    if (offset > readable_size_ || out.size() > readable_size_ - offset) {
        return fail(EINVAL);
    }
    for_each_piece(readable(), offset, out.size(),
                   [&](size_t at, const std::byte* guest, size_t length) {
                       std::memcpy(out.data() + at, guest, length);
                   });
    // The compiler must not read the guest's memory again in place of the copy.
    std::atomic_signal_fence(std::memory_order_seq_cst);
    return {};
}

Result<void> DescriptorChain::write(size_t offset, std::span<const std::byte> in) {
    if (offset > writable_size_ || in.size() > writable_size_ - offset) {
        return fail(EINVAL);
    }
    for_each_piece(writable(), offset, in.size(), [&](size_t at, std::byte* guest, size_t length) {
        std::memcpy(guest, in.data() + at, length);
    });
    return {};
}

}  // namespace vrdma::vhost
