// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <linux/types.h>
#include <vrdma_doorbell.h>

#include "memory/guest_access.h"

namespace vrdma::embedded {

// The word of the doorbell area in which the guest arms one CQ; a CQ whose port has no doorbell
// area is never armed. All changes are atomic: the guest's driver and any worker make them.
class CqArming {
  public:
    CqArming() = default;
    CqArming(const CqArming&) = delete;
    CqArming& operator=(const CqArming&) = delete;

    // Whether a completion, which is solicited or is not, changes nothing: nobody has armed, and
    // the word says already that there was such a completion. Sequentially consistent; the caller
    // says what the load pairs with.
    bool knows(bool solicited) const {
        const __le32 seen = memory::load(word_, std::memory_order_seq_cst);
        return seen == VRDMA_CQ_MISSED_NEXT && !solicited;
    }

    // Takes a completion into account. True for the one caller who is to send the event.
    bool complete(bool solicited) {
        const __le32 missed = VRDMA_CQ_MISSED_NEXT | (solicited ? VRDMA_CQ_MISSED_SOLICITED : 0);
        const __le32 fires = VRDMA_CQ_ARM_NEXT | (solicited ? VRDMA_CQ_ARM_SOLICITED : 0);
        return disarm(fires, missed);
    }

    // Takes the arm away. True for the one caller who finds the CQ armed.
    bool disarm() { return disarm(kArmed, 0); }

    // The port's doorbell area has come, moved or gone (null). Called in a Pause.
    void use(vrdma_doorbell_area* area, uint32_t handle) {
        word_ = area != nullptr ? &area->cq_arm[handle] : &never_armed_;
    }

  private:
    static constexpr __le32 kArmed = VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_ARM_NEXT;

    // Clears the word if one of `fires` is there, and sets `missed` otherwise.
    bool disarm(__le32 fires, __le32 missed) {
        // guest-controlled: the driver changes the word once for an arming, and workers once for
        // a completion. A hostile driver changes it as often as it likes, and then gets no event.
        constexpr unsigned kMaxTries = 64;
        const std::atomic_ref<__le32> word(*word_);
        __le32 seen = word.load(std::memory_order_seq_cst);
        for (unsigned i = 0; i < kMaxTries; ++i) {
            const bool armed = (seen & fires) != 0;
            const __le32 next = armed ? VRDMA_CQ_NOT_ARMED : seen | missed;
            if (next == seen) {
                return false;
            }
            if (word.compare_exchange_weak(seen, next, std::memory_order_seq_cst)) {
                return armed;
            }
        }
        return false;
    }

    __le32 never_armed_ = 0;
    __le32* word_ = &never_armed_;  // guest-controlled
};

}  // namespace vrdma::embedded
