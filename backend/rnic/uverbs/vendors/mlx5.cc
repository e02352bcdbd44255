// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// mlx5: NVIDIA ConnectX.  Written from the kernel's sources, Linux 6.1's drivers/infiniband/hw/mlx5
// and <rdma/mlx5-abi.h>, and from libmlx5 of rdma-core 44.
#include <rdma/mlx5-abi.h>

#include <algorithm>
#include <array>
#include <bit>

#include "rnic/uverbs/vendors/pointers.h"
#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 1> kAbiVersions{MLX5_IB_UVERBS_ABI_VERSION};

// Older libraries send less: each minimum is the one that the kernel has.
constexpr std::array kUdata{
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .in_min = sizeof(mlx5_ib_alloc_ucontext_req),
                 .in_max = sizeof(mlx5_ib_alloc_ucontext_req_v2),
                 .out_max = sizeof(mlx5_ib_alloc_ucontext_resp)},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_PD, .out_max = sizeof(mlx5_ib_alloc_pd_resp)},
    UdataLengths{.opcode = VRDMA_CMD_ALLOC_MW, .in_min = 0, .in_max = sizeof(mlx5_ib_alloc_mw)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_CQ,
                 .in_min = offsetof(mlx5_ib_create_cq, uar_page_index),
                 .in_max = sizeof(mlx5_ib_create_cq),
                 .out_max = sizeof(mlx5_ib_create_cq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_RESIZE_CQ,
                 .in_min = sizeof(mlx5_ib_resize_cq),
                 .in_max = sizeof(mlx5_ib_resize_cq)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_SRQ,
                 .in_min = offsetof(mlx5_ib_create_srq, uidx),
                 .in_max = sizeof(mlx5_ib_create_srq),
                 .out_max = sizeof(mlx5_ib_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_XRC_SRQ,
                 .in_min = offsetof(mlx5_ib_create_srq, uidx),
                 .in_max = sizeof(mlx5_ib_create_srq),
                 .out_max = sizeof(mlx5_ib_create_srq_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_QP,
                 .in_min = offsetof(mlx5_ib_create_qp, ece_options),
                 .in_max = sizeof(mlx5_ib_create_qp),
                 .out_max = sizeof(mlx5_ib_create_qp_resp)},
    UdataLengths{.opcode = VRDMA_CMD_MODIFY_QP,
                 .in_min = 0,
                 .in_max = sizeof(mlx5_ib_modify_qp),
                 .out_max = sizeof(mlx5_ib_modify_qp_resp)},
    UdataLengths{.opcode = VRDMA_CMD_CREATE_AH, .out_max = sizeof(mlx5_ib_create_ah_resp)},
};

// create_cq_user: roundup_pow_of_two(cqe + 1) * cqe_size
constexpr vrdma_udata_term kCqEntries{
    .count = VRDMA_COUNT_CQE | VRDMA_COUNT_ROUND,
    .scale = VRDMA_SCALE_UDATA,
    .count_offset = 0,
    .scale_offset = offsetof(mlx5_ib_create_cq, cqe_size),
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 0,
};

// resize_user: the same.  The entry's size has 16 bits there, and the kernel refuses other bits
// than zero behind them.
constexpr vrdma_udata_term kResizedCqEntries{
    .count = VRDMA_COUNT_CQE | VRDMA_COUNT_ROUND,
    .scale = VRDMA_SCALE_UDATA,
    .count_offset = 0,
    .scale_offset = offsetof(mlx5_ib_resize_cq, cqe_size),
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 0,
};

// set_user_buf_size: (rq_wqe_count << rq_wqe_shift) + (sq_wqe_count << 6)
constexpr vrdma_udata_term kReceiveQueue{
    .count = VRDMA_COUNT_UDATA,
    .scale = VRDMA_SCALE_UDATA_SHIFT,
    .count_offset = offsetof(mlx5_ib_create_qp, rq_wqe_count),
    .scale_offset = offsetof(mlx5_ib_create_qp, rq_wqe_shift),
    .reserved = 0,
    .scale_a = 0,
    .scale_b = 0,
};
constexpr vrdma_udata_term kSendQueue{
    .count = VRDMA_COUNT_UDATA,
    .scale = VRDMA_SCALE_CONSTANT,
    .count_offset = offsetof(mlx5_ib_create_qp, sq_wqe_count),
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 64,
    .scale_b = 0,
};

// mlx5_ib_create_srq: roundup_pow_of_two(max_wr + 1) elements of a segment of 16 bytes and 16
// bytes for each scatter element, rounded up to a power of two
constexpr vrdma_udata_term kSharedReceiveQueue{
    .count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND,
    .scale = VRDMA_SCALE_MAX_SGE,
    .count_offset = 0,
    .scale_offset = 0,
    .reserved = 0,
    .scale_a = 16,
    .scale_b = 16,
};

constexpr std::array kPointers{
    buffer(VRDMA_CMD_CREATE_CQ, offsetof(mlx5_ib_create_cq, buf_addr), kCqEntries),
    doorbell_record(VRDMA_CMD_CREATE_CQ, offsetof(mlx5_ib_create_cq, db_addr)),
    buffer(VRDMA_CMD_RESIZE_CQ, offsetof(mlx5_ib_resize_cq, buf_addr), kResizedCqEntries),
    buffer(VRDMA_CMD_CREATE_SRQ, offsetof(mlx5_ib_create_srq, buf_addr), kSharedReceiveQueue),
    doorbell_record(VRDMA_CMD_CREATE_SRQ, offsetof(mlx5_ib_create_srq, db_addr)),
    buffer(VRDMA_CMD_CREATE_XRC_SRQ, offsetof(mlx5_ib_create_srq, buf_addr), kSharedReceiveQueue),
    doorbell_record(VRDMA_CMD_CREATE_XRC_SRQ, offsetof(mlx5_ib_create_srq, db_addr)),
    buffer(VRDMA_CMD_CREATE_QP, offsetof(mlx5_ib_create_qp, buf_addr), kReceiveQueue, kSendQueue),
    doorbell_record(VRDMA_CMD_CREATE_QP, offsetof(mlx5_ib_create_qp, db_addr)),
};

// DevX objects and UARs that are made by ioctl do not exist in the guest.  The library tries a
// context with DevX first.  It learns from tot_bfregs that there are no dynamic UARs.  Such a UAR
// is also what a page index of the user's names, and the kernel does not check whose that page is.
constexpr std::array kWithheld{
    WithheldBits{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .action = WithheldBits::Action::kDecline,
                 .offset = offsetof(mlx5_ib_alloc_ucontext_req_v2, flags),
                 .size = sizeof(mlx5_ib_alloc_ucontext_req_v2::flags),
                 .bits = MLX5_IB_ALLOC_UCTX_DEVX},
    WithheldBits{.opcode = VRDMA_CMD_ALLOC_UCONTEXT,
                 .action = WithheldBits::Action::kClear,
                 .offset = offsetof(mlx5_ib_alloc_ucontext_req_v2, lib_caps),
                 .size = sizeof(mlx5_ib_alloc_ucontext_req_v2::lib_caps),
                 .bits = MLX5_LIB_CAP_DYN_UAR},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_QP,
                 .action = WithheldBits::Action::kRefuse,
                 .offset = offsetof(mlx5_ib_create_qp, flags),
                 .size = sizeof(mlx5_ib_create_qp::flags),
                 .bits = MLX5_QP_FLAG_UAR_PAGE_INDEX},
    WithheldBits{.opcode = VRDMA_CMD_CREATE_CQ,
                 .action = WithheldBits::Action::kRefuse,
                 .offset = offsetof(mlx5_ib_create_cq, flags),
                 .size = sizeof(mlx5_ib_create_cq::flags),
                 .bits = MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX},
};

// get_command() of the page offset: MLX5_IB_MMAP_CMD_SHIFT, MLX5_IB_MMAP_CMD_MASK.
constexpr MmapRule mapped_as(mlx5_ib_mmap_cmd command, uint32_t caching, bool read_only = false) {
    constexpr unsigned kPageShift = 12;
    constexpr unsigned kCommandShift = 8;
    constexpr uint64_t kCommandMask = 0xff;
    return {.mask = kCommandMask << (kPageShift + kCommandShift),
            .value = uint64_t{command} << (kPageShift + kCommandShift),
            .caching = caching,
            .read_only = read_only};
}

constexpr MmapRule read_only(mlx5_ib_mmap_cmd command) {
    return mapped_as(command, VRDMA_MMAP_CACHED, true);
}

constexpr std::array kMmap{
    mapped_as(MLX5_IB_MMAP_REGULAR_PAGE, VRDMA_MMAP_WRITE_COMBINE),
    mapped_as(MLX5_IB_MMAP_WC_PAGE, VRDMA_MMAP_WRITE_COMBINE),
    mapped_as(MLX5_IB_MMAP_ALLOC_WC, VRDMA_MMAP_WRITE_COMBINE),
    mapped_as(MLX5_IB_MMAP_NC_PAGE, VRDMA_MMAP_NONCACHED),
    mapped_as(MLX5_IB_MMAP_DEVICE_MEM, VRDMA_MMAP_WRITE_COMBINE),
    read_only(MLX5_IB_MMAP_CORE_CLOCK),
    read_only(MLX5_IB_MMAP_CLOCK_INFO),
};

// What the library learns of the adapter's capabilities.  Left out is what guests have no verbs
// for: raw packets (segmentation, hashing, pacing, parsing, strides, tunnels, multi-packet
// requests) and dynamically connected queue pairs.
constexpr mlx5_ib_query_device_resp known_capabilities() {
    constexpr uint32_t kAll = ~uint32_t{0};
    mlx5_ib_query_device_resp known{};
    known.comp_mask = kAll;
    known.response_length = kAll;
    known.cqe_comp_caps = {.max_num = kAll, .supported_format = kAll};
    known.flags = MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_COMP |
                  MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_PAD |
                  MLX5_IB_QUERY_DEV_RESP_PACKET_BASED_CREDIT_MODE;
    return known;
}
constexpr auto kQueryDeviceAnswer =
    std::bit_cast<std::array<std::byte, sizeof(mlx5_ib_query_device_resp)>>(known_capabilities());

// The daemon's own context makes no queues, and asks for as few UARs as there can be.
constexpr auto kOwnContext =
    std::bit_cast<std::array<std::byte, sizeof(mlx5_ib_alloc_ucontext_req)>>(
        mlx5_ib_alloc_ucontext_req{.total_num_bfregs = 1, .num_low_latency_bfregs = 0});

// create_xrc_tgt_qp() takes nothing of the request but the index that completions carry, which a
// target has none of.  A context without max_cqe_version insists on the value for none
// (get_qp_user_index()).
constexpr uint32_t kNoUserIndex = 0xffffff;  // MLX5_IB_DEFAULT_UIDX

constexpr std::array<std::byte, sizeof(mlx5_ib_create_qp)> target_qp() {
    std::array<std::byte, sizeof(mlx5_ib_create_qp)> request{};
    const auto uidx = std::bit_cast<std::array<std::byte, sizeof(kNoUserIndex)>>(kNoUserIndex);
    std::ranges::copy(uidx, request.begin() + offsetof(mlx5_ib_create_qp, uidx));
    return request;
}
constexpr auto kTargetQp = target_qp();

}  // namespace

const VendorEntry kMlx5Entry{
    .driver_id = RDMA_DRIVER_MLX5,
    .name = "mlx5_ib",
    .abi_versions = kAbiVersions,
    .tested = Tested::kOnModel,
    .transport = Transport::kRoce,
    .doorbell = Signal::kMappedMemory,
    .cq_arming = Signal::kMappedMemory,
    .udata = kUdata,
    .pointers = kPointers,
    .withheld = kWithheld,
    .mmap = kMmap,
    .srq_only_grows = false,
    .resizes_cqs = true,
    .ah_in_user_memory = true,
    .query_device_answer = kQueryDeviceAnswer,
    .own_context = kOwnContext,
    .own_context_answer = sizeof(mlx5_ib_alloc_ucontext_resp),
    .target_qp = kTargetQp,
};

}  // namespace vrdma::uverbs
