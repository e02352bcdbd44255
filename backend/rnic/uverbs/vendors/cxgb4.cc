// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// cxgb4: Chelsio T5 and T6.  Written from the kernel's sources: Linux 6.1 and 6.12,
// drivers/infiniband/hw/cxgb4; libcxgb4 of rdma-core 44, 56 and 64.
#include <rdma/cxgb4-abi.h>

#include <array>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{C4IW_UVERBS_ABI_VERSION};

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT, .out_max = sizeof(c4iw_alloc_ucontext_resp)},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(c4iw_alloc_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ,
                 .in_min = sizeof(c4iw_create_cq),
                 .in_max = sizeof(c4iw_create_cq),
                 .out_max = sizeof(c4iw_create_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ, .out_max = sizeof(c4iw_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP, .out_max = sizeof(c4iw_create_qp_resp)},
};

// Queues are memory of the kernel's, doorbells pages of the adapter (c4iw_mmap).  The status page
// (GET_CONTEXT) and the page with the MA_SYNC register, for queues on the chip of a T4, are not
// here: all contexts share the first, the other has registers of the whole adapter, and the driver
// lets everybody write both.
constexpr std::array kMmapKeys{
    MmapKey{.opcode = VRDMA_CMD_CREATE_CQ,
            .offset = offsetof(c4iw_create_cq_resp, key),
            .caching = VRDMA_MMAP_CACHED},
    MmapKey{.opcode = VRDMA_CMD_CREATE_CQ,
            .offset = offsetof(c4iw_create_cq_resp, gts_key),
            .caching = VRDMA_MMAP_WRITE_COMBINE},
    MmapKey{.opcode = VRDMA_CMD_CREATE_SRQ,
            .offset = offsetof(c4iw_create_srq_resp, srq_key),
            .caching = VRDMA_MMAP_CACHED},
    MmapKey{.opcode = VRDMA_CMD_CREATE_SRQ,
            .offset = offsetof(c4iw_create_srq_resp, srq_db_gts_key),
            .caching = VRDMA_MMAP_WRITE_COMBINE},
    MmapKey{.opcode = VRDMA_CMD_CREATE_QP,
            .offset = offsetof(c4iw_create_qp_resp, sq_key),
            .caching = VRDMA_MMAP_CACHED},
    MmapKey{.opcode = VRDMA_CMD_CREATE_QP,
            .offset = offsetof(c4iw_create_qp_resp, rq_key),
            .caching = VRDMA_MMAP_CACHED},
    MmapKey{.opcode = VRDMA_CMD_CREATE_QP,
            .offset = offsetof(c4iw_create_qp_resp, sq_db_gts_key),
            .caching = VRDMA_MMAP_WRITE_COMBINE},
    MmapKey{.opcode = VRDMA_CMD_CREATE_QP,
            .offset = offsetof(c4iw_create_qp_resp, rq_db_gts_key),
            .caching = VRDMA_MMAP_WRITE_COMBINE},
};

}  // namespace

const VendorEntry kCxgb4Entry{
    .driver_id = RDMA_DRIVER_CXGB4,
    .name = "iw_cxgb4",
    .abi_versions = kAbiVersions,
    .tested = Tested::kFromSources,
    .transport = Transport::kIwarp,
    .doorbell = Signal::kMappedMemory,
    .cq_arming = Signal::kMappedMemory,
    .udata = kUdata,
    .pointers = {},
    .withheld = {},
    .mmap = {},
    .mmap_keys = kMmapKeys,
    .maps_only_listed = true,
    .obstacle =
        "its user library needs the status page, which all users of the RNIC share and "
        "which the driver lets each of them write: a guest could stop the others",
    .srq_only_grows = false,  // c4iw_modify_srq has no sizes
    .resizes_cqs = false,
    .own_context = {},
    .own_context_answer = sizeof(c4iw_alloc_ucontext_resp),
};

}  // namespace vrdma::uverbs
