// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/types.h>
#include <vrdma_doorbell.h>

#include "memory/guest_access.h"

namespace vrdma::embedded {

// The word of the doorbell area in which the guest arms one CQ; a CQ whose port has no doorbell
// area is never armed.
class CqArming {
  public:
    CqArming() = default;
    CqArming(const CqArming&) = delete;
    CqArming& operator=(const CqArming&) = delete;

    // VRDMA_CQ_ARM_*. The load is sequentially consistent; the caller says what it pairs with.
    __le32 load() const { return memory::load(word_, std::memory_order_seq_cst); }
    // True for the one caller who finds the CQ armed.
    bool disarm() {
        return memory::exchange(word_, VRDMA_CQ_NOT_ARMED, std::memory_order_seq_cst) != 0;
    }

    // The port's doorbell area has come, moved or gone (null). Called in a Pause.
    void use(vrdma_doorbell_area* area, uint32_t handle) {
        word_ = area != nullptr ? &area->cq_arm[handle] : &never_armed_;
    }

  private:
    __le32 never_armed_ = 0;
    __le32* word_ = &never_armed_;  // guest-controlled
};

}  // namespace vrdma::embedded
