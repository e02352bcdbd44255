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
    // Release: whoever sees that a bit is taken also sees what the caller wrote before.
    uint64_t root = memory::exchange(&bitmap.root, 0, std::memory_order_acq_rel);
    root &= (uint64_t{1} << VRDMA_DB_SUMMARY_WORDS) - 1;
    for (; root != 0; root &= root - 1) {
        const auto i = static_cast<uint32_t>(std::countr_zero(root));
        uint64_t summary = memory::exchange(&bitmap.summary[i], 0, std::memory_order_acq_rel);
        for (; summary != 0; summary &= summary - 1) {
            const uint32_t j = i * kBits + static_cast<uint32_t>(std::countr_zero(summary));
            uint64_t bits = memory::exchange(&bitmap.bits[j], 0, std::memory_order_acq_rel);
            for (; bits != 0; bits &= bits - 1) {
                handle(j * kBits + static_cast<uint32_t>(std::countr_zero(bits)));
            }
        }
    }
}

// Takes the bits of one bitmap as take_doorbells() does, but a few at a time: a guest that sets all
// bits as fast as they are taken gets no more than the caller gives it.
class DoorbellScan {
  public:
    // Whether words that were taken have bits left.
    bool pending() const { return (root_ | summary_ | bits_) != 0; }

    // Takes at most `limit` words and bits, which is 4 or more, and answers how many they were.
    // Fewer than the limit: all is taken that had rung before.
    template <typename Handle>
    unsigned take(vrdma_doorbell_bitmap& bitmap, unsigned limit, const Handle& handle) {
        unsigned taken = 0;
        if (!pending()) {
            // Acquire: as in take_doorbells().
            uint64_t root = memory::exchange(&bitmap.root, 0, std::memory_order_acquire) &
                            ((uint64_t{1} << VRDMA_DB_SUMMARY_WORDS) - 1);
            if (root == 0) [[unlikely]] {
                return 1;
            }
            // Most often one queue has rung, and nothing is left to be remembered.
            const auto group = static_cast<uint32_t>(std::countr_zero(root));
            uint64_t summary =
                memory::exchange(&bitmap.summary[group], 0, std::memory_order_acquire);
            root &= root - 1;
            if (summary == 0) [[unlikely]] {
                root_ = root;
                return 2;
            }
            const uint32_t word = group * kBits + static_cast<uint32_t>(std::countr_zero(summary));
            uint64_t bits = memory::exchange(&bitmap.bits[word], 0, std::memory_order_acquire);
            summary &= summary - 1;
            if (bits != 0) [[likely]] {
                handle(word * kBits + static_cast<uint32_t>(std::countr_zero(bits)));
                bits &= bits - 1;
            }
            taken = 4;
            if ((root | summary | bits) == 0) [[likely]] {
                return taken;
            }
            root_ = root;
            summary_ = summary;
            bits_ = bits;
            group_ = group;
            word_ = word;
        }
        return go_on(bitmap, taken, limit, handle);
    }

    // Sets the bits again that were taken and not handed on. A bit of the root or of a summary is
    // set after what it leads to, as whoever rings sets them.
    void give_back(vrdma_doorbell_bitmap& bitmap) {
        if (bits_ != 0) {
            set(bitmap.bits[word_], bits_);
            summary_ |= uint64_t{1} << (word_ % kBits);
        }
        if (summary_ != 0) {
            set(bitmap.summary[group_], summary_);
            root_ |= uint64_t{1} << group_;
        }
        if (root_ != 0) {
            set(bitmap.root, root_);
        }
        root_ = summary_ = bits_ = 0;
    }

  private:
    // Release: pairs with the acquire of whoever takes the bits.
    static void set(__le64& word, uint64_t bits) {
        std::atomic_ref<__le64>(word).fetch_or(bits, std::memory_order_release);
    }

    static constexpr uint32_t kBits = VRDMA_DB_BITS_PER_WORD;

    template <typename Handle>
    unsigned go_on(vrdma_doorbell_bitmap& bitmap, unsigned taken, unsigned limit,
                   const Handle& handle) {
        for (; taken < limit; ++taken) {
            if (bits_ != 0) {
                handle(word_ * kBits + static_cast<uint32_t>(std::countr_zero(bits_)));
                bits_ &= bits_ - 1;
            } else if (summary_ != 0) {
                word_ = group_ * kBits + static_cast<uint32_t>(std::countr_zero(summary_));
                summary_ &= summary_ - 1;
                bits_ = memory::exchange(&bitmap.bits[word_], 0, std::memory_order_acquire);
            } else if (root_ != 0) {
                group_ = static_cast<uint32_t>(std::countr_zero(root_));
                root_ &= root_ - 1;
                summary_ = memory::exchange(&bitmap.summary[group_], 0, std::memory_order_acquire);
            } else {
                break;
            }
        }
        return taken;
    }

    uint64_t root_ = 0;     // groups of 64 words that are still to be looked at
    uint64_t summary_ = 0;  // words of the group
    uint64_t bits_ = 0;     // queues of the word
    uint32_t group_ = 0;
    uint32_t word_ = 0;
};

}  // namespace vrdma::rnic
