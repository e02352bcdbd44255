// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/atomic_unit.h"

#include <atomic>
#include <mutex>
#include <span>

namespace vrdma::embedded {

uint64_t AtomicUnit::execute(const SendRequest& request, const ScatterList& target) {
    const bool swap = request.opcode == WrOpcode::kCompareAndSwap;
    const uint64_t operand = request.atomic.compare_or_add;
    // A piece of memory may end within the word.
    const std::span<std::byte> place = ScatterCursor(target).peek(sizeof(uint64_t));
    if (place.size() == sizeof(uint64_t) &&
        reinterpret_cast<uintptr_t>(place.data()) % sizeof(uint64_t) == 0) [[likely]] {
        const std::atomic_ref<uint64_t> word(*reinterpret_cast<uint64_t*>(place.data()));
        if (!swap) {
            return word.fetch_add(operand);
        }
        uint64_t expected = operand;
        word.compare_exchange_strong(expected, request.atomic.swap);
        return expected;
    }
    // The guest's memory is aligned differently here, or in two pieces. The CPU has no atomic
    // access for that, so such words are atomic among the RNIC's accesses only (atomic_cap is
    // IB_ATOMIC_HCA).
    const std::lock_guard lock(unaligned_);
    uint64_t word = 0;
    ScatterList local;
    local.add(reinterpret_cast<std::byte*>(&word), sizeof(word));
    copy(local, target, sizeof(word));
    const uint64_t original = word;
    if (swap) {
        if (word == operand) {
            word = request.atomic.swap;
        }
    } else {
        word += operand;
    }
    if (word != original) {
        copy(target, local, sizeof(word));
    }
    return original;
}

}  // namespace vrdma::embedded
