// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The device's side of arming a CQ whose library arms by a system call.  The protocol is in
// common/vrdma_doorbell.h.  The driver and one thread of the daemon's change the word.
#pragma once

#include <linux/types.h>
#include <vrdma_doorbell.h>

#include <atomic>

namespace vrdma::uverbs {

inline constexpr uint32_t kCqArmed = VRDMA_CQ_ARM_SOLICITED | VRDMA_CQ_ARM_NEXT;
inline constexpr uint32_t kCqWatched = VRDMA_CQ_WATCHED_SOLICITED | VRDMA_CQ_WATCHED_NEXT;

// The CQ's doorbell has rung.  `arm(solicited_only)` arms the RNIC.
template <typename Arm>
void arm_rung_cq(__le32* word, const Arm& arm) {
    const std::atomic_ref<__le32> state(*word);
    // Acquire: pairs with the driver's OR, which comes before its ring.
    const uint32_t armed = state.load(std::memory_order_acquire) & kCqArmed;
    if (armed == 0) {
        return;  // the event has been sent in the meantime
    }
    const bool solicited_only = (armed & VRDMA_CQ_ARM_NEXT) == 0;
    arm(solicited_only);
    // Release: pairs with the driver's look at the bit, after which its caller polls the CQ.  The
    // RNIC reports the completions that the poll does not find.
    state.fetch_or(solicited_only ? VRDMA_CQ_WATCHED_SOLICITED : VRDMA_CQ_WATCHED_NEXT,
                   std::memory_order_release);
}

// The RNIC has reported a completion, and is not armed any more.  Returns true when the driver is
// to be sent an event.
template <typename Arm>
bool take_completion(__le32* word, const Arm& arm) {
    // guest-controlled: the driver changes the word at most twice for one arming.  A hostile driver
    // changes it as often as it likes, and then gets no more events.
    constexpr unsigned kMaxTries = 16;
    const std::atomic_ref<__le32> state(*word);
    uint32_t seen = state.load(std::memory_order_acquire);
    for (unsigned i = 0; i < kMaxTries; ++i) {
        uint32_t next = 0;
        if ((seen & kCqArmed) != 0) {
            const bool next_completion = (seen & (VRDMA_CQ_ARM_NEXT | VRDMA_CQ_WATCHED_NEXT)) != 0;
            arm(!next_completion);
            next = next_completion ? VRDMA_CQ_WATCHED_NEXT : VRDMA_CQ_WATCHED_SOLICITED;
        }
        // Acquire and release: pairs with the driver's OR.  Either the OR comes before, and is seen
        // here, or it comes after, and finds what the RNIC is armed for now.
        if (state.compare_exchange_strong(seen, next, std::memory_order_acq_rel,
                                          std::memory_order_acquire)) {
            return next != 0;
        }
    }
    return false;
}

}  // namespace vrdma::uverbs
