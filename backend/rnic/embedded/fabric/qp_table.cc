// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/qp_table.h"

namespace vrdma::embedded {

uint32_t QpTable::insert(QpContext& qp) {
    uint32_t slot;
    if (!free_.empty()) {
        slot = free_.front();
        free_.pop_front();
    } else if (entries_.size() <= kSlotMask) {
        slot = static_cast<uint32_t>(entries_.size());
        entries_.emplace_back();
    } else {
        return 0;
    }
    Entry& entry = entries_[slot];
    entry.qp = &qp;
    entry.number = (entry.variant & kVariantMask) << kSlotBits | slot;
    return entry.number;
}

void QpTable::erase(uint32_t number) {
    Entry& entry = entries_[number & kSlotMask];
    entry.qp = nullptr;
    entry.number = 0;
    ++entry.variant;
    free_.push_back(number & kSlotMask);
}

}  // namespace vrdma::embedded
