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
    const uint32_t number = (at(slot).variant & kVariantMask) << kSlotBits | slot;
    occupy(slot, number, qp);
    return number;
}

Result<void> QpTable::insert_at(uint32_t number, QpContext& qp) {
    const uint32_t slot = number & kSlotMask;
    const uint32_t variant = number >> kSlotBits;
    if (slot < kManagement || variant > kVariantMask) {
        return fail(EINVAL);
    }
    while (slot >= parts_used_ * kPart) {
        add_part();
    }
    Entry& entry = at(slot);
    if (entry.qp != nullptr) {
        return fail(EEXIST);
    }
    entry.variant = variant;
    highest_variant_ = std::max(highest_variant_, variant);
    occupy(slot, number, qp);
    return {};
}

void QpTable::erase(uint32_t number) {
    Entry& entry = at(number & kSlotMask);
    entry.qp = nullptr;
    entry.number = 0;
    ++entry.variant;
    highest_variant_ = std::max(highest_variant_, entry.variant);
    free(number & kSlotMask);
}

void QpTable::begin_after(uint32_t variant) {
    first_variant_ = std::max(first_variant_, (variant & kVariantMask) + 1);
    highest_variant_ = std::max(highest_variant_, first_variant_);
    for (uint32_t slot = first_free_; slot != 0; slot = at(slot).next_free) {
        at(slot).variant = std::max(at(slot).variant, first_variant_);
    }
}

// False when all slots are in use.
bool QpTable::add_part() {
    if (parts_used_ == parts_.size()) {
        return false;
    }
    parts_[parts_used_] = std::make_unique<Part>();
    const uint32_t first = parts_used_ * kPart;
    ++parts_used_;
    for (uint32_t slot = std::max(first, kManagement); slot < first + kPart; ++slot) {
        at(slot).variant = first_variant_;
        free(slot);
    }
    return true;
}

void QpTable::free(uint32_t slot) {
    at(slot).next_free = 0;
    at(slot).previous_free = last_free_;
    (last_free_ == 0 ? first_free_ : at(last_free_).next_free) = slot;
    last_free_ = slot;
}

void QpTable::unlink(uint32_t slot) {
    const Entry& entry = at(slot);
    (entry.previous_free == 0 ? first_free_ : at(entry.previous_free).next_free) = entry.next_free;
    (entry.next_free == 0 ? last_free_ : at(entry.next_free).previous_free) = entry.previous_free;
}

void QpTable::occupy(uint32_t slot, uint32_t number, QpContext& qp) {
    unlink(slot);
    at(slot).qp = &qp;
    at(slot).number = number;
}

}  // namespace vrdma::embedded
