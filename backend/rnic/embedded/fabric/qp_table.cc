// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/qp_table.h"

#include <algorithm>

namespace vrdma::embedded {

uint32_t QpTable::insert(QpContext& qp) {
    if (first_free_ == 0 && !add_part()) {
        return 0;
    }
    const uint32_t slot = first_free_;
    Entry& entry = at(slot);
    first_free_ = entry.next_free;
    entry.qp = &qp;
    entry.number = (entry.variant & kVariantMask) << kSlotBits | slot;
    return entry.number;
}

void QpTable::erase(uint32_t number) {
    Entry& entry = at(number & kSlotMask);
    entry.qp = nullptr;
    entry.number = 0;
    ++entry.variant;
    free(number & kSlotMask);
}

// False when all slots are in use.
bool QpTable::add_part() {
    if (parts_used_ == parts_.size()) {
        return false;
    }
    parts_[parts_used_] = std::make_unique<Part>();
    const uint32_t first = parts_used_ * kPart;
    ++parts_used_;
    constexpr uint32_t kManagement = 2;  // QP 0 and QP 1
    for (uint32_t slot = std::max(first, kManagement); slot < first + kPart; ++slot) {
        free(slot);
    }
    return true;
}

void QpTable::free(uint32_t slot) {
    at(slot).next_free = 0;
    (first_free_ == 0 ? first_free_ : at(last_free_).next_free) = slot;
    last_free_ = slot;
}

}  // namespace vrdma::embedded
