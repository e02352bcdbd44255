// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// irdma: Intel E810, E82x and X722.  Written from the kernel's sources: Linux 6.1 and 6.12,
// drivers/infiniband/hw/irdma; libirdma of rdma-core 44, 56 and 64.
#include <rdma/irdma-abi.h>

#include <array>
#include <bit>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{IRDMA_ABI_VER};

// What newer headers append to the structures of Linux 6.1.
constexpr uint16_t kContextAnswer = offsetof(irdma_alloc_ucontext_resp, comp_mask) + 8;
constexpr uint16_t kContextAnswerMore = 8;  // min_hw_wq_size, max_hw_srq_quanta
constexpr uint16_t kQpRequest = offsetof(irdma_create_qp_req, user_compl_ctx) + 8;
constexpr uint16_t kQpRequestMore = 16;  // legacy_dontuse
constexpr uint16_t kSrqRequest = 16;     // struct irdma_create_srq_req
constexpr uint16_t kSrqAnswer = 8;       // struct irdma_create_srq_resp

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .in_min = offsetof(irdma_alloc_ucontext_req, comp_mask),
                 .in_max = sizeof(irdma_alloc_ucontext_req),
                 .out_max = kContextAnswer + kContextAnswerMore},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(irdma_alloc_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_REG_MR,
                 .in_min = sizeof(irdma_mem_reg_req),
                 .in_max = sizeof(irdma_mem_reg_req)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ,
                 .in_min = offsetof(irdma_create_cq_req, user_shadow_area),
                 .in_max = sizeof(irdma_create_cq_req),
                 .out_max = sizeof(irdma_create_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .in_min = kSrqRequest,
                 .in_max = kSrqRequest,
                 .out_max = kSrqAnswer},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP,
                 .in_min = kQpRequest,
                 .in_max = kQpRequest + kQpRequestMore,
                 .out_max = sizeof(irdma_create_qp_resp)},
    UdataLengths{.opcode = VRDMA_CMD_MODIFY_QP,
                 .in_min = 0,
                 .in_max = sizeof(irdma_modify_qp_req),
                 .out_max = sizeof(irdma_modify_qp_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_AH, .out_max = sizeof(irdma_create_ah_resp)},
};

// A page of doorbells, which all contexts share, and for a QP in push mode two pages of its own
// (irdma_setup_push_mmap_entries).
constexpr std::array kMmapKeys{
    MmapKey{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
            .offset = offsetof(irdma_alloc_ucontext_resp, db_mmap_key),
            .caching = VRDMA_MMAP_NONCACHED},
    MmapKey{.opcode = VRDMA_CMD_MODIFY_QP,
            .offset = offsetof(irdma_modify_qp_resp, push_wqe_mmap_key),
            .caching = VRDMA_MMAP_WRITE_COMBINE},
    MmapKey{.opcode = VRDMA_CMD_MODIFY_QP,
            .offset = offsetof(irdma_modify_qp_resp, push_db_mmap_key),
            .caching = VRDMA_MMAP_NONCACHED},
};

constexpr auto kOwnContext =
    std::bit_cast<std::array<std::byte, sizeof(irdma_alloc_ucontext_req)>>(irdma_alloc_ucontext_req{
        .rsvd32 = 0, .userspace_ver = IRDMA_ABI_VER, .rsvd8 = {}, .comp_mask = 0});

}  // namespace

// No request has pointers: a queue's memory is registered with REG_MR, and CREATE_CQ and CREATE_QP
// name the region by its hca_va (irdma_get_pbl).
const VendorEntry kIrdmaEntry{
    .driver_id = RDMA_DRIVER_IRDMA,
    .name = "irdma",
    .abi_versions = kAbiVersions,
    .tested = Tested::kFromSources,
    .transport = Transport::kByNodeType,
    .doorbell = Signal::kMappedMemory,
    .cq_arming = Signal::kMappedMemory,
    .udata = kUdata,
    .pointers = {},
    .withheld = {},
    .mmap = {},
    .mmap_keys = kMmapKeys,
    .maps_only_listed = true,
    // irdma_create_cq and irdma_setup_umode_qp compare no sizes, and irdma_dereg_mr takes the
    // memory of a queue away that is in use.
    .obstacle =
        "the driver takes a queue to be as long as its user says, whatever memory the user "
        "has registered for it, so that the RNIC would read and write the host's memory "
        "behind the queue",
    .srq_only_grows = false,
    .resizes_cqs = false,
    .own_context = kOwnContext,
    .own_context_answer = sizeof(irdma_alloc_ucontext_resp),
};

}  // namespace vrdma::uverbs
