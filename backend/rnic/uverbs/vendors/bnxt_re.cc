// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// bnxt_re: Broadcom BCM575xx.  Written from the kernel's sources: Linux 6.1 and 6.12,
// drivers/infiniband/hw/bnxt_re; libbnxt_re of rdma-core 44, 56 and 64.
#include <rdma/bnxt_re-abi.h>

#include <array>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{BNXT_RE_ABI_VERSION};

// What newer headers append to the structures of Linux 6.1.  The longest requests and answers are
// those that this entry describes, whichever header it is built with.
constexpr uint16_t kContextRequest = sizeof(uint64_t);  // struct bnxt_re_uctx_req: comp_mask
constexpr uint16_t kCqRequest = offsetof(bnxt_re_cq_req, cq_handle) + 8;
constexpr uint16_t kCqRequestMask = kCqRequest;  // comp_mask
constexpr uint16_t kCqAnswer = offsetof(bnxt_re_cq_resp, rsvd) + 4;
constexpr uint16_t kCqAnswerMask = kCqAnswer;  // comp_mask
constexpr uint16_t kQpRequest = offsetof(bnxt_re_qp_req, qp_handle) + 8;
constexpr uint16_t kQpRequestMask = kQpRequest;      // comp_mask, and two u32: sq_slots, sq_npsn
constexpr uint16_t kSrqAnswer = 4;                   // srqid
constexpr uint16_t kSrqAnswerMask = kSrqAnswer + 4;  // after padding: comp_mask

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .in_min = 0,
                 .in_max = kContextRequest,
                 .out_max = sizeof(bnxt_re_uctx_resp)},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(bnxt_re_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ,
                 .in_min = kCqRequest,
                 .in_max = kCqRequest + 8,
                 .out_max = kCqAnswer + 8},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .in_min = sizeof(bnxt_re_srq_req),
                 .in_max = sizeof(bnxt_re_srq_req),
                 .out_max = kSrqAnswerMask + 8},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP,
                 .in_min = kQpRequest,
                 .in_max = kQpRequest + 16,
                 .out_max = sizeof(bnxt_re_qp_resp)},
};

// The u64 beside these are cookies: the RNIC puts qp_handle into completions, and the kernel has
// pointers of its own for CQs and SRQs (bnxt_qplib_create_cq, bnxt_qplib_create_srq).
constexpr vrdma_udata_pointer ring_of(vrdma_opcode opcode, size_t offset, uint8_t count,
                                      uint16_t reserved_entries, uint32_t entry, bool whole_pages) {
    return {
        .opcode = static_cast<uint16_t>(opcode),
        .offset = static_cast<uint16_t>(offset),
        .flags =
            VRDMA_UDATA_POINTER_LASTING | (whole_pages ? uint32_t{VRDMA_UDATA_POINTER_ROUND} : 0),
        .length = 0,
        .terms = {vrdma_udata_term{
                      .count = static_cast<uint8_t>(count | VRDMA_COUNT_ROUND),
                      .scale = VRDMA_SCALE_CONSTANT,
                      .count_offset = reserved_entries,
                      .scale_offset = 0,
                      .reserved = 0,
                      .scale_a = entry,
                      .scale_b = 0,
                  },
                  {}},
    };
}

constexpr uint32_t kCqe = 32;       // struct cq_base
constexpr uint32_t kWqe = 128;      // bnxt_re_setup_swqe_size, _rwqe_size: a head and six elements
constexpr uint32_t kPsnEntry = 16;  // struct sq_psn_search_ext
constexpr uint16_t kReservedWqes = 128;  // BNXT_QPLIB_RESERVED_QP_WRS

// bnxt_re_init_user_qp pins the PSN table behind the send queue for RC only, but the library has it
// there for all types.
constexpr std::array kPointers{
    ring_of(VRDMA_CMD_CREATE_CQ, offsetof(bnxt_re_cq_req, cq_va), VRDMA_COUNT_CQE, 0, kCqe, false),
    ring_of(VRDMA_CMD_CREATE_SRQ, offsetof(bnxt_re_srq_req, srqva), VRDMA_COUNT_MAX_WR, 0, kWqe,
            true),
    ring_of(VRDMA_CMD_CREATE_QP, offsetof(bnxt_re_qp_req, qpsva), VRDMA_COUNT_MAX_SEND_WR,
            kReservedWqes, kWqe + kPsnEntry, true),
    ring_of(VRDMA_CMD_CREATE_QP, offsetof(bnxt_re_qp_req, qprva), VRDMA_COUNT_MAX_WR, 0, kWqe,
            true),
};

// Bits of headers after Linux 6.1.
constexpr uint64_t kAsksForPow2 = 0x01;      // BNXT_RE_COMP_MASK_REQ_UCNTX_POW2_SUPPORT
constexpr uint64_t kAsksForVariable = 0x02;  // BNXT_RE_COMP_MASK_REQ_UCNTX_VAR_WQE_SUPPORT
constexpr uint64_t kPushPages = 0x04;        // BNXT_RE_UCNTX_CMASK_WC_DPI_ENABLED
constexpr uint64_t kPacing = 0x08;           // BNXT_RE_UCNTX_CMASK_DBR_PACING_ENABLED
constexpr uint64_t kTogglePage = 0x1;        // BNXT_RE_CQ_, BNXT_RE_SRQ_TOGGLE_PAGE_SUPPORT

// Without the first two, rings are as long as the formulas say.  What the library learns from the
// others leads it to ioctls of its own: ALLOC_PAGE, which also maps a page of the adapter's
// registers (DBR_BAR_PAGE), NOTIFY_DRV and GET_TOGGLE_MEM.  Libraries before rdma-core 47 know none
// of them.
constexpr std::array kWithheld{
    WithheldBits{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .action = WithheldBits::Action::kClear,
                 .offset = 0,
                 .bits = kAsksForPow2 | kAsksForVariable},
    WithheldBits{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .action = WithheldBits::Action::kHide,
                 .offset = offsetof(bnxt_re_uctx_resp, comp_mask),
                 .bits = kPushPages | kPacing},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_CQ,
                 .action = WithheldBits::Action::kHide,
                 .offset = kCqAnswerMask,
                 .bits = kTogglePage},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .action = WithheldBits::Action::kHide,
                 .offset = kSrqAnswerMask,
                 .bits = kTogglePage},
    // Queues of the application's own layout (bnxt_re_dv), and of exactly so many entries.
    WithheldBits{.opcode = VRDMA_CMD_CREATE_CQ,
                 .action = WithheldBits::Action::kRefuse,
                 .offset = kCqRequestMask,
                 .bits = ~uint64_t{0}},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_QP,
                 .action = WithheldBits::Action::kRefuse,
                 .offset = kQpRequestMask,
                 .bits = ~uint64_t{0}},
};

// Page 0 is the context's own page, where the kernel leaves the numbers of address handles.
constexpr std::array kMmap{
    MmapRule{.mask = ~uint64_t{0}, .value = 0, .caching = VRDMA_MMAP_CACHED},
};
// Linux 6.1 maps whatever page of the host's physical memory the offset names (bnxt_re_mmap), and
// tells the context which page is its own.  In Linux 6.12 the offset is a key.
constexpr std::array kMmapKeys{
    MmapKey{.opcode = VRDMA_CMD_ALLOC_PD,
            .offset = offsetof(bnxt_re_pd_resp, dbr),
            .caching = VRDMA_MMAP_NONCACHED},
};

// CHIP_NUM_57508, CHIP_NUM_57504, CHIP_NUM_57502.  Elder chips have shorter PSN entries; BCM576xx
// have longer WQEs, and CQs that cannot be armed without their toggle page.
constexpr std::array<uint32_t, 3> kChips{0x1750, 0x1751, 0x1752};

}  // namespace

const VendorEntry kBnxtReEntry{
    .driver_id = RDMA_DRIVER_BNXT_RE,
    .name = "bnxt_re",
    .abi_versions = kAbiVersions,
    .tested = Tested::kFromSources,
    .transport = Transport::kRoce,
    .doorbell = Signal::kMappedMemory,
    .cq_arming = Signal::kMappedMemory,
    .udata = kUdata,
    .pointers = kPointers,
    .withheld = kWithheld,
    .mmap = kMmap,
    .mmap_keys = kMmapKeys,
    .maps_only_listed = true,
    .foreign_offset = VRDMA_SHM_PAGE_SIZE,
    .models = {.offset = offsetof(bnxt_re_uctx_resp, chip_id0),
               .mask = 0xffff,
               .values = kChips,
               .names = "BCM57502, BCM57504 and BCM57508"},
    .srq_only_grows = false,  // bnxt_re_modify_srq refuses each other size
    .resizes_cqs = false,     // the new buffer is user memory
    .own_context = {},
    .own_context_answer = sizeof(bnxt_re_uctx_resp),
};

}  // namespace vrdma::uverbs
