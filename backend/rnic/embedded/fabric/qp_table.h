// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace vrdma::embedded {

class QpContext;  // known here by its address only

// The queue pairs of all ports by number. The table changes in a Pause only.
class QpTable {
  public:
    // Answers a number that no other queue pair has and that was not used for long; 0 when there
    // is none left.
    uint32_t insert(QpContext& qp);
    void erase(uint32_t number);

    QpContext* find(uint32_t number) const {
        const uint32_t slot = number & kSlotMask;
        return slot < entries_.size() && entries_[slot].number == number ? entries_[slot].qp
                                                                         : nullptr;
    }

  private:
    // 24 bits: a slot, and above it a variant that changes with each use of the slot.
    static constexpr uint32_t kSlotBits = 18;
    static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
    static constexpr uint32_t kVariantMask = (1u << (24 - kSlotBits)) - 1;
    struct Entry {
        QpContext* qp = nullptr;
        uint32_t number = 0;
        uint32_t variant = 0;
    };
    std::vector<Entry> entries_{2};  // QP 0 and QP 1 are the management ones
    std::deque<uint32_t> free_;
};

}  // namespace vrdma::embedded
