// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// siw: iWARP in software.  Linux 6.1, drivers/infiniband/sw/siw; libsiw of rdma-core 44.
#include <rdma/siw-abi.h>

#include <array>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{SIW_ABI_VERSION};

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT, .out_max = sizeof(siw_uresp_alloc_ctx)},
    UdataLengths{.opcode = VRDMA_CMD_REG_MR,
                 .in_min = sizeof(siw_ureq_reg_mr),
                 .in_max = sizeof(siw_ureq_reg_mr),
                 .out_max = sizeof(siw_uresp_reg_mr)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ, .out_max = sizeof(siw_uresp_create_cq)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP, .out_max = sizeof(siw_uresp_create_qp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ, .out_max = sizeof(siw_uresp_create_srq)},
};

}  // namespace

const VendorEntry kSiwEntry{
    .driver_id = RDMA_DRIVER_SIW,
    .name = "siw",
    .abi_versions = kAbiVersions,
    .tested = Tested::kOnDevice,
    .transport = Transport::kIwarp,
    .doorbell = Signal::kSystemCall,
    .cq_arming = Signal::kMappedMemory,  // struct siw_cq_ctrl, at the end of the CQ
    .udata = kUdata,
    .pointers = {},
    .withheld = {},
    .mmap = {},
    .srq_only_grows = false,
    .resizes_cqs = false,
    .regions_by_start = true,  // siw_reg_user_mr(); siw_try_1seg()
    .own_context = {},
    .own_context_answer = sizeof(siw_uresp_alloc_ctx),
};

}  // namespace vrdma::uverbs
