// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An RNIC's side of the doorbell bitmaps (common/vrdma_doorbell.h).
#pragma once

#include <vrdma_doorbell.h>

#include <atomic>
#include <bit>
#include <cstdint>

#include "memory/guest_access.h"

namespace vrdma::rnic {

static_assert(std::endian::native == std::endian::little, "doorbell words are little-endian");

// Whether any bit may be set; the order is the caller's.
inline bool has_rung(const vrdma_doorbell_bitmap& bitmap, std::memory_order order) {
    return memory::load(&bitmap.root, order) != 0;
}

// Whether the bit of `handle` is set. The bit stays: whoever takes it finds nothing left to do.
inline bool has_rung(const vrdma_doorbell_bitmap& bitmap, uint32_t handle) {
    constexpr uint32_t kBits = VRDMA_DB_BITS_PER_WORD;
    // Acquire: pairs with the driver's read-modify-writes, as in take_doorbells().
    return (memory::load(&bitmap.bits[handle / kBits], std::memory_order_acquire) >>
                (handle % kBits) &
            1) != 0;
}

// Takes the bits and calls `handle` for each queue that has rung. The scan goes from the root
// down, so that a bit set meanwhile is found now or leaves its root bit behind for the next look.
// guest-controlled: any bit can be set, so the work is bounded by the size of the bitmap, and
// handles are less than VRDMA_DB_MAX_HANDLES.
template <typename Handle>
void take_doorbells(vrdma_doorbell_bitmap& bitmap, const Handle& handle) {
    constexpr uint32_t kBits = VRDMA_DB_BITS_PER_WORD;
    // Acquire: pairs with the driver's read-modify-writes, which come after what it rings for.
    uint64_t root = memory::exchange(&bitmap.root, 0, std::memory_order_acquire);
    root &= (uint64_t{1} << VRDMA_DB_SUMMARY_WORDS) - 1;
    for (; root != 0; root &= root - 1) {
        const auto i = static_cast<uint32_t>(std::countr_zero(root));
        uint64_t summary = memory::exchange(&bitmap.summary[i], 0, std::memory_order_acquire);
        for (; summary != 0; summary &= summary - 1) {
            const uint32_t j = i * kBits + static_cast<uint32_t>(std::countr_zero(summary));
            uint64_t bits = memory::exchange(&bitmap.bits[j], 0, std::memory_order_acquire);
            for (; bits != 0; bits &= bits - 1) {
                handle(j * kBits + static_cast<uint32_t>(std::countr_zero(bits)));
            }
        }
    }
}

}  // namespace vrdma::rnic
