// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// mlx4: NVIDIA ConnectX-3 and ConnectX-3 Pro.  Written from the kernel's sources: Linux 6.1
// and 6.12, drivers/infiniband/hw/mlx4; libmlx4 of rdma-core 44 and 56.
#include <rdma/mlx4-abi.h>

#include <array>

#include "rnic/uverbs/vendors/pointers.h"
#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

// Version 3 is that of devices whose CQEs have 32 bytes, and tells no cqe_size.
constexpr std::array<uint32_t, 1> kAbiVersions{MLX4_IB_UVERBS_ABI_VERSION};

constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .out_max = sizeof(mlx4_ib_alloc_ucontext_resp)},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(mlx4_ib_alloc_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ,
                 .in_min = sizeof(mlx4_ib_create_cq),
                 .in_max = sizeof(mlx4_ib_create_cq),
                 .out_max = sizeof(mlx4_ib_create_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .in_min = sizeof(mlx4_ib_create_srq),
                 .in_max = sizeof(mlx4_ib_create_srq),
                 .out_max = sizeof(mlx4_ib_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP,
                 .in_min = sizeof(mlx4_ib_create_qp),
                 .in_max = sizeof(mlx4_ib_create_qp)},
};

// mlx4_ib_create_cq: roundup_pow_of_two(cqe + 1) * caps.cqe_size.  The scale is the device's.
constexpr vrdma_udata_term kCqEntries{
    .count = VRDMA_COUNT_CQE | VRDMA_COUNT_ROUND,
    .scale = VRDMA_SCALE_CONSTANT,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 64,
    .scale_b = 0,
};

// mlx4_ib_create_srq: roundup_pow_of_two(max_wr + 1) elements of a segment of 16 bytes and 16 bytes
// for each scatter element, rounded up to a power of two
constexpr vrdma_udata_term kSharedReceiveQueue{
    .count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND,
    .scale = VRDMA_SCALE_MAX_SGE,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 16,
    .scale_b = 16,
};

// set_user_sq_size: 1 << log_sq_bb_count << log_sq_stride
constexpr vrdma_udata_term kSendQueue{
    .count = VRDMA_COUNT_UDATA_LOG,
    .scale = VRDMA_SCALE_UDATA_LOG,
    .count_offset = offsetof(mlx4_ib_create_qp, log_sq_bb_count),
    .scale_offset = offsetof(mlx4_ib_create_qp, log_sq_stride),
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 0,
};

// set_rq_size: roundup_pow_of_two(max_recv_wr) * roundup_pow_of_two(max_recv_sge) * 16.  The driver
// refuses a receive queue without requests or elements.
constexpr vrdma_udata_term kReceiveQueue{
    .count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND_UP,
    .scale = VRDMA_SCALE_MAX_SGE,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 16,
};

constexpr std::array kPointers{
    buffer(VRDMA_CMD_CREATE_CQ, offsetof(mlx4_ib_create_cq, buf_addr), kCqEntries),
    doorbell_record(VRDMA_CMD_CREATE_CQ, offsetof(mlx4_ib_create_cq, db_addr)),
    buffer(VRDMA_CMD_CREATE_SRQ, offsetof(mlx4_ib_create_srq, buf_addr), kSharedReceiveQueue),
    doorbell_record(VRDMA_CMD_CREATE_SRQ, offsetof(mlx4_ib_create_srq, db_addr)),
    buffer(VRDMA_CMD_CREATE_QP, offsetof(mlx4_ib_create_qp, buf_addr), kSendQueue, kReceiveQueue),
    doorbell_record(VRDMA_CMD_CREATE_QP, offsetof(mlx4_ib_create_qp, db_addr)),
};

constexpr std::array kDeviceScales{
    DeviceScale{.opcode = VRDMA_CMD_CREATE_CQ,
                .pointer_offset = offsetof(mlx4_ib_create_cq, buf_addr),
                .answer_offset = offsetof(mlx4_ib_alloc_ucontext_resp, cqe_size)},
};

// Inlined receives make the elements of the receive queue larger than the formula (set_rq_size).
// The field is the upper half of the u64 that begins with the logarithms.
static_assert(offsetof(mlx4_ib_create_qp, inl_recv_sz) ==
              offsetof(mlx4_ib_create_qp, log_sq_bb_count) + sizeof(uint32_t));
constexpr std::array kWithheld{
    WithheldBits{.opcode = VRDMA_CMD_CREATE_QP,
                 .action = WithheldBits::Action::kRefuse,
                 .offset = offsetof(mlx4_ib_create_qp, log_sq_bb_count),
                 .bits = uint64_t{UINT32_MAX} << 32},
};

// mlx4_ib_mmap: page 0 is the context's UAR, page 1 its BlueFlame registers.  Page 3 is a page of
// the adapter's registers, the clock among them, which the driver lets everybody write.
constexpr std::array kMmap{
    MmapRule{.mask = ~uint64_t{0}, .value = 0, .caching = VRDMA_MMAP_NONCACHED},
    MmapRule{
        .mask = ~uint64_t{0}, .value = VRDMA_SHM_PAGE_SIZE, .caching = VRDMA_MMAP_WRITE_COMBINE},
};

}  // namespace

const VendorEntry kMlx4Entry{
    .driver_id = RDMA_DRIVER_MLX4,
    .name = "mlx4_ib",
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
    .device_scales = kDeviceScales,
    .srq_only_grows = false,    // mlx4_ib_modify_srq refuses each other size
    .resizes_cqs = false,       // the new buffer is user memory
    .ah_in_user_memory = true,  // mlx4_create_ah makes no command at all
    .own_context = {},
    .own_context_answer = sizeof(mlx4_ib_alloc_ucontext_resp),
};

}  // namespace vrdma::uverbs
