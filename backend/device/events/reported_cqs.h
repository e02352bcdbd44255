// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <vrdma_doorbell.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace vrdma::device {

// The CQs that have a completion event of which the guest has not been told: each CQ once, however
// often it is reported.  Nobody waits for anybody, and nothing is allocated.
class ReportedCqs {
  public:
    // Any thread.  False when the CQ is reported already, or no CQ can have that handle.
    bool insert(uint32_t handle, uint8_t comp_vector) {
        if (handle >= VRDMA_DB_MAX_HANDLES) {
            return false;
        }
        const uint32_t word = handle / kBits;
        vectors_[handle].store(comp_vector, std::memory_order_relaxed);
        // Pairs with the exchange in take(), which so sees the vector.
        if ((words_[word].fetch_or(bit(handle), std::memory_order_acq_rel) & bit(handle)) != 0) {
            return false;
        }
        // Sequentially consistent: pairs with empty(), see EventDelivery::begin_sleep().
        summary_[word / kBits].fetch_or(bit(word), std::memory_order_seq_cst);
        return true;
    }

    // Takes all of them: calls `each(handle, comp_vector)`.  One thread at a time.
    template <typename Each>
    void take(const Each& each) {
        for (uint32_t i = 0; i < summary_.size(); ++i) {
            uint64_t words = summary_[i].exchange(0, std::memory_order_acq_rel);
            for (; words != 0; words &= words - 1) {
                take_word(i * kBits + static_cast<uint32_t>(std::countr_zero(words)), each);
            }
        }
    }

    bool empty() const {
        return std::ranges::all_of(summary_, [](const std::atomic<uint64_t>& words) {
            return words.load(std::memory_order_seq_cst) == 0;
        });
    }

  private:
    static constexpr uint32_t kBits = 64;
    static constexpr uint32_t kWords = VRDMA_DB_MAX_HANDLES / kBits;

    static uint64_t bit(uint32_t number) { return uint64_t{1} << number % kBits; }

    template <typename Each>
    void take_word(uint32_t word, const Each& each) {
        uint64_t bits = words_[word].exchange(0, std::memory_order_acq_rel);
        for (; bits != 0; bits &= bits - 1) {
            const uint32_t handle = word * kBits + static_cast<uint32_t>(std::countr_zero(bits));
            each(handle, vectors_[handle].load(std::memory_order_relaxed));
        }
    }

    std::array<std::atomic<uint64_t>, kWords> words_{};
    std::array<std::atomic<uint64_t>, kWords / kBits> summary_{};  // words that are not zero
    std::array<std::atomic<uint8_t>, VRDMA_DB_MAX_HANDLES> vectors_{};
};

}  // namespace vrdma::device
