// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/ring_attacks.h"

namespace vrdma::hostile {

// Overwrites a ring while the RNIC may be reading it.
void RingAttacks::spoil_ring() {
    if (known_.rings.empty()) {
        return;
    }
    const Knowledge::Ring& ring = known_.rings[choices_.below(known_.rings.size())];
    auto* const data = reinterpret_cast<std::byte*>(verbs_.header(ring.at));
    for (uint64_t count = 1 + choices_.below(16); count != 0; --count) {
        // Half of the stores go to the ring's header, with its indices.
        const uint64_t reach = choices_.one_in(2) ? sizeof(rxe_queue_buf) : ring.at.length;
        store(data + choices_.below(reach / 4) * 4, choices_.odd_number());
    }
    if (ring.qp != VRDMA_NO_HANDLE && known_.doorbells && ring.qp < VRDMA_DB_MAX_HANDLES) {
        verbs_.ring(verbs_.doorbells().qp, ring.qp);
    }
}

void RingAttacks::storm_doorbells() {
    if (!known_.doorbells) {
        return;
    }
    vrdma_doorbell_area& area = verbs_.doorbells();
    vrdma_doorbell_bitmap& bitmap = choices_.one_in(2) ? area.qp : area.cq;
    const auto set = [](auto& word, auto value) {
        std::atomic_ref(word).store(value, std::memory_order_relaxed);
    };
    switch (choices_.below(5)) {
        case 0:
            for (__le64& word : bitmap.summary) {
                set(word, ~__le64{0});
            }
            set(bitmap.root, ~__le64{0});
            break;
        case 1:
            for (__le64& word : bitmap.bits) {
                set(word, choices_.one_in(2) ? ~__le64{0} : __le64{0});
            }
            for (__le64& word : bitmap.summary) {
                set(word, ~__le64{0});
            }
            set(bitmap.root, ~__le64{0});
            break;
        case 2:
            for (uint64_t i = 0; i < 64; ++i) {
                set(area.cq_arm[choices_.below(VRDMA_DB_MAX_HANDLES)], choices_.odd_number());
            }
            for (const uint32_t cq : known_.cqs) {
                set(area.cq_arm[cq % VRDMA_DB_MAX_HANDLES], choices_.odd_number());
            }
            break;
        case 3:
            set(area.polling, choices_.odd_number());
            break;
        default:
            for (uint64_t i = choices_.below(64); i != 0; --i) {
                verbs_.ring(bitmap, static_cast<uint32_t>(choices_.below(VRDMA_DB_MAX_HANDLES)));
            }
    }
    verbs_.device().kick_doorbells();
}

}  // namespace vrdma::hostile
