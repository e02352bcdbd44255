// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "hostile/work_attacks.h"

#include <array>
#include <atomic>
#include <cstring>

#include "hostile/ring_attacks.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rxe_client.h"

namespace vrdma::hostile {
namespace {

using namespace rnic::verbs_abi;
using embedded::kSendWqeHeadSize;
using embedded::Sge;

}  // namespace

// Work requests that are right but for what is chosen otherwise.
void WorkAttacks::post_work() {
    if (known_.rings.empty() || !known_.doorbells) {
        return;
    }
    const Knowledge::Ring& ring = known_.rings[choices_.below(known_.rings.size())];
    rxe_queue_buf* const header = verbs_.header(ring.at);
    std::byte* const elements = reinterpret_cast<std::byte*>(header) + sizeof(rxe_queue_buf);
    const uint64_t room = ring.at.length - sizeof(rxe_queue_buf);
    constexpr uint64_t kElement = kSendWqeHeadSize + 4 * sizeof(Sge);
    uint32_t log2 = header->log2_elem_size;
    if (log2 > 12 || (uint64_t{1} << log2) < kElement) {
        log2 = 9;
    }
    const uint64_t count = room >> log2;
    for (uint64_t posted = 0; count != 0 && posted < 1 + choices_.below(4); ++posted) {
        std::array<std::byte, kElement> element{};
        embedded::test::SendWr wr;
        wr.wr_id = choices_.number();
        wr.opcode = static_cast<WrOpcode>(
            choices_.one_in(8) ? choices_.odd_number()
                               : choices_.pick<uint32_t>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 32}));
        wr.flags = static_cast<uint32_t>(choices_.below(32)) & ~uint32_t{kSendInline};
        wr.immediate = known_.some(known_.keys);
        wr.remote_address = kIova + choices_.below(65536);
        wr.rkey = known_.some(known_.keys);
        wr.remote_qpn =
            choices_.one_in(2) ? known_.some(known_.foreign_qps) : known_.some(known_.qp_numbers);
        wr.remote_qkey = 0x1234;
        wr.ah_number = known_.some(known_.ahs);
        wr.bind = {choices_.below(65536), known_.some(known_.keys), known_.some(known_.keys), 0x1f};
        for (uint64_t i = choices_.below(4); i != 0; --i) {
            wr.sges.push_back({kIova + choices_.below(65536),
                               static_cast<uint32_t>(choices_.below(16384)),
                               known_.some(known_.keys)});
        }
        embedded::test::write_send_wqe(element.data(), wr, choices_.one_in(4));
        if (choices_.one_in(8)) {
            const auto at = choices_.below(element.size() / 4) * 4;
            const uint32_t word = choices_.odd_number();
            std::memcpy(element.data() + at, &word, sizeof(word));
        }
        const uint32_t producer =
            std::atomic_ref(header->producer_index).load(std::memory_order_relaxed);
        std::byte* const to = elements + ((producer % count) << log2);
        for (size_t i = 0; i < element.size() && ((producer % count) << log2) + i + 4 <= room;
             i += 4) {
            uint32_t word;
            std::memcpy(&word, element.data() + i, sizeof(word));
            store(to + i, word);
        }
        const uint32_t mask = header->index_mask;
        std::atomic_ref(header->producer_index)
            .store((producer + 1) & mask, std::memory_order_release);
    }
    verbs_.ring(verbs_.doorbells().qp,
                ring.qp < VRDMA_DB_MAX_HANDLES ? ring.qp : choices_.below(VRDMA_DB_MAX_HANDLES));
}

}  // namespace vrdma::hostile
