// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The rings of drivers that keep them in memory of the host's kernel (rxe, siw), which nothing
// there charges to anybody.
#pragma once

#include <endian.h>
#include <rdma/rdma_user_rxe.h>
#include <rdma/siw-abi.h>
#include <vrdma_udata.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

// About how many bytes a ring takes: one element for each request, of the larger of the drivers'
// layouts, and rounded up as the drivers do it.
inline uint64_t ring_bytes(uint32_t requests, uint64_t element) {
    return std::bit_ceil(uint64_t{requests} + 1) * std::bit_ceil(element);
}
inline uint64_t completion_ring_bytes(uint32_t cqe) {
    return ring_bytes(cqe, std::max(sizeof(ib_uverbs_wc), sizeof(siw_cqe)));
}
inline uint64_t send_ring_bytes(const rnic::QpCapabilities& cap) {
    const uint64_t payload =
        std::max(uint64_t{cap.max_send_sge} * sizeof(rxe_sge), uint64_t{cap.max_inline_data});
    return ring_bytes(cap.max_send_wr, std::max(sizeof(rxe_send_wqe), sizeof(siw_sqe)) + payload);
}
inline uint64_t receive_ring_bytes(uint32_t max_wr, uint32_t max_sge) {
    return ring_bytes(max_wr, std::max(sizeof(rxe_recv_wqe), sizeof(siw_rqe)) +
                                  uint64_t{max_sge} * sizeof(rxe_sge));
}

// Whether the driver's rings are in memory of the guest's, which is charged as such.
inline bool rings_are_guest_memory(const VendorEntry& vendor) {
    return std::ranges::any_of(vendor.pointers, [](const vrdma_udata_pointer& pointer) {
        return (le32toh(pointer.flags) & VRDMA_UDATA_POINTER_LASTING) != 0;
    });
}

// Charges rings of `bytes` to the guest, unless they are memory of its own. EDQUOT.
inline Result<Charge> charge_rings(const ContextState& context, uint64_t bytes) {
    if (rings_are_guest_memory(context.port.rnic->vendor)) {
        return Charge();
    }
    return rnic::charge(context.port.budgets.ring_bytes, bytes);
}

}  // namespace vrdma::uverbs
