// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// hns_roce: HiSilicon HIP08 and HIP09.  Written from the kernel's sources: Linux 6.1 and 6.12,
// drivers/infiniband/hw/hns; libhns of rdma-core 44, 56 and 64.
#include <rdma/hns-abi.h>

#include <array>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{1};  // uverbs_abi_ver of hns_roce_dev_ops

// What newer headers append to the structures of Linux 6.1, and structures that those have not.
constexpr uint16_t kContextAnswer = offsetof(hns_roce_ib_alloc_ucontext_resp, max_inline_data) + 4;
constexpr uint16_t kContextAnswerMore = 8;  // congest_type
constexpr uint16_t kSrqRequest = offsetof(hns_roce_ib_create_srq, que_addr) + 8;
constexpr uint16_t kSrqRequestFlags = kSrqRequest;  // req_cap_flags
constexpr uint16_t kAhAnswer = 8;                   // struct hns_roce_ib_create_ah_resp
constexpr uint16_t kModifyQpAnswer = 8;             // struct hns_roce_ib_modify_qp_resp

// Without CREATE_CQ and CREATE_QP, see the obstacle.
constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .in_min = 0,
                 .in_max = sizeof(hns_roce_ib_alloc_ucontext),
                 .out_max = kContextAnswer + kContextAnswerMore},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(hns_roce_ib_alloc_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .in_min = kSrqRequest,
                 .in_max = kSrqRequest + 8,
                 .out_max = sizeof(hns_roce_ib_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_MODIFY_QP, .out_max = kModifyQpAnswer},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_AH, .out_max = kAhAnswer},
};

constexpr vrdma_udata_pointer srq_memory(size_t offset, vrdma_udata_term term) {
    return {
        .opcode = VRDMA_CMD_CREATE_SRQ,
        .offset = static_cast<uint16_t>(offset),
        .flags = VRDMA_UDATA_POINTER_LASTING | VRDMA_UDATA_POINTER_ROUND,
        .length = 0,
        .terms = {term, {}},
    };
}

// alloc_srq_wqe_buf: roundup_pow_of_two(max_wr) * roundup_pow_of_two(16 * max_sge), in whole pages
constexpr vrdma_udata_term kSrqElements{
    .count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND_UP,
    .scale = VRDMA_SCALE_MAX_SGE,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 16,
};
// alloc_srq_idx: roundup_pow_of_two(max_wr) * 4, in whole pages
constexpr vrdma_udata_term kSrqIndexes{
    .count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND_UP,
    .scale = VRDMA_SCALE_CONSTANT,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 4,
    .scale_b = 0,
};
constexpr std::array kPointers{
    srq_memory(offsetof(hns_roce_ib_create_srq, buf_addr), kSrqElements),
    srq_memory(offsetof(hns_roce_ib_create_srq, que_addr), kSrqIndexes),
};

// The extended elements and inlined data that the library may ask for make queues longer.  An SRQ
// has no doorbell record unless it asks for one.
constexpr std::array kWithheld{
    WithheldBits{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .action = WithheldBits::Action::kClear,
                 .offset = offsetof(hns_roce_ib_alloc_ucontext, config),
                 .bits = UINT32_MAX},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .action = WithheldBits::Action::kClear,
                 .offset = kSrqRequestFlags,
                 .bits = UINT32_MAX},
};

// Offset 0 is the context's doorbell page (hns_roce_alloc_uar_entry).
constexpr std::array kMmap{
    MmapRule{.mask = ~uint64_t{0}, .value = 0, .caching = VRDMA_MMAP_NONCACHED},
};

}  // namespace

const VendorEntry kHnsEntry{
    .driver_id = RDMA_DRIVER_HNS,
    .name = "hns_roce_hw_v2",
    .abi_versions = kAbiVersions,
    .tested = Tested::kFromSources,
    .transport = Transport::kRoce,
    .doorbell = Signal::kMappedMemory,
    .cq_arming = Signal::kMappedMemory,
    .udata = kUdata,
    .pointers = kPointers,
    .withheld = kWithheld,
    .mmap = kMmap,
    .maps_only_listed = true,
    .obstacle =
        "libhns looks for the PCI ids of its adapters only, which a guest's device does not "
        "have, and a queue pair's buffer has three parts, of which a pointer's length can "
        "have two",
    .srq_only_grows = false,
    .resizes_cqs = false,
    .own_context = {},
    .own_context_answer = kContextAnswer,
};

}  // namespace vrdma::uverbs
