// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// rxe: RoCE v2 in software.  Linux 6.1, drivers/infiniband/sw/rxe; librxe of rdma-core 44.
#include <rdma/rdma_user_rxe.h>

#include <array>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{2};  // RXE_UVERBS_ABI_VERSION

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ, .out_max = sizeof(rxe_create_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_RESIZE_CQ, .out_max = sizeof(rxe_resize_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP, .out_max = sizeof(rxe_create_qp_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ, .out_max = sizeof(rxe_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_MODIFY_SRQ, .in_max = sizeof(rxe_modify_srq_cmd)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_AH, .out_max = sizeof(rxe_create_ah_resp)},
};

// The driver writes a resized SRQ's struct mminfo where the command says (rxe_srq_from_attr).
constexpr std::array kPointers{
    vrdma_udata_pointer{
        .opcode = VRDMA_CMD_MODIFY_SRQ,
        .offset = offsetof(rxe_modify_srq_cmd, mmap_info_addr),
        .flags = 0,
        .length = sizeof(mminfo),
        .terms = {},
    },
};

}  // namespace

const VendorEntry kRxeEntry{
    .driver_id = RDMA_DRIVER_RXE,
    .name = "rdma_rxe",
    .abi_versions = kAbiVersions,
    .tested = Tested::kOnDevice,
    .transport = Transport::kRoce,
    .doorbell = Signal::kSystemCall,
    .cq_arming = Signal::kSystemCall,
    .udata = kUdata,
    .pointers = kPointers,
    .withheld = {},
    .mmap = {},
    // An SRQ that holds more requests than its new size ends up without a queue, which the next
    // message to the SRQ dereferences (rxe_srq_from_attr, err2).  A larger size has room for all.
    .srq_only_grows = true,
    .resizes_cqs = true,
    .own_context = {},
    .own_context_answer = 0,
};

}  // namespace vrdma::uverbs
