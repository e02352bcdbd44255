// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The lengths behind pointers, held against what the drivers' own sources compute, for many values.
#include <gtest/gtest.h>
#include <rdma/bnxt_re-abi.h>
#include <rdma/hns-abi.h>
#include <rdma/mlx4-abi.h>
#include <vrdma_udata_memory.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "rnic/uverbs/vendors/vendor_table.h"

namespace vrdma::uverbs {
namespace {

constexpr std::array<uint32_t, 14> kCounts{1,   2,   3,   63,   64,   65,    127,
                                           128, 129, 383, 1000, 4095, 16384, 32767};
constexpr std::array<uint32_t, 9> kElements{0, 1, 2, 3, 4, 6, 7, 15, 32};

uint64_t roundup_pow_of_two(uint64_t value) {
    return std::bit_ceil(value);
}
uint64_t page_align(uint64_t bytes) {
    return (bytes + 4095) / 4096 * 4096;
}

// The bytes behind the pointer at `offset` of the verb's private bytes; 0 for invalid ones.
template <typename Udata>
uint64_t length_of(std::span<const vrdma_udata_pointer> pointers, vrdma_opcode opcode,
                   size_t offset, const Udata& udata, vrdma_udata_counts counts) {
    for (const vrdma_udata_pointer& pointer : pointers) {
        __u64 length = 0;
        if (pointer.opcode == opcode && pointer.offset == offset &&
            vrdma_udata_length(&pointer, &udata, sizeof(udata), &counts, &length) != 0) {
            return length;
        }
    }
    return 0;
}

vrdma_udata_counts counts_of_cq(uint32_t cqe) {
    return {.cqe = cqe, .max_wr = 0, .max_sge = 0, .max_send_wr = 0};
}
vrdma_udata_counts counts_of_srq(uint32_t max_wr, uint32_t max_sge) {
    return {.cqe = 0, .max_wr = max_wr, .max_sge = max_sge, .max_send_wr = 0};
}
vrdma_udata_counts counts_of_qp(uint32_t send_wr, uint32_t recv_wr, uint32_t recv_sge) {
    return {.cqe = 0, .max_wr = recv_wr, .max_sge = recv_sge, .max_send_wr = send_wr};
}

// mlx4's answer to GET_CONTEXT, with CQEs of that size.
std::vector<vrdma_udata_pointer> mlx4_pointers(uint32_t cqe_size) {
    mlx4_ib_alloc_ucontext_resp answer{};
    answer.cqe_size = cqe_size;
    return pointers_on_device(kMlx4Entry, std::as_bytes(std::span(&answer, 1))).value();
}

TEST(Mlx4Lengths, OfACqAreThoseOfMlx4IbCreateCq) {
    const mlx4_ib_create_cq udata{};
    for (const uint32_t cqe_size : {32, 64}) {
        for (const uint32_t cqe : kCounts) {
            EXPECT_EQ(length_of(mlx4_pointers(cqe_size), VRDMA_CMD_CREATE_CQ,
                                offsetof(mlx4_ib_create_cq, buf_addr), udata, counts_of_cq(cqe)),
                      roundup_pow_of_two(cqe + 1) * cqe_size)
                << cqe << " of " << cqe_size;
        }
    }
}

TEST(Mlx4Lengths, OfAnSrqAreThoseOfMlx4IbCreateSrq) {
    const mlx4_ib_create_srq udata{};
    for (const uint32_t max_wr : kCounts) {
        for (const uint32_t max_sge : kElements) {
            const uint64_t desc_size =
                std::max<uint64_t>(32, roundup_pow_of_two(16 + uint64_t{max_sge} * 16));
            EXPECT_EQ(length_of(kMlx4Entry.pointers, VRDMA_CMD_CREATE_SRQ,
                                offsetof(mlx4_ib_create_srq, buf_addr), udata,
                                counts_of_srq(max_wr, max_sge)),
                      roundup_pow_of_two(max_wr + 1) * desc_size)
                << max_wr << " of " << max_sge;
        }
    }
}

TEST(Mlx4Lengths, OfAQpAreThoseOfSetUserSqSize) {
    mlx4_ib_create_qp udata{};
    const auto length = [&](uint32_t wr, uint32_t sge) {
        return length_of(kMlx4Entry.pointers, VRDMA_CMD_CREATE_QP,
                         offsetof(mlx4_ib_create_qp, buf_addr), udata, counts_of_qp(9, wr, sge));
    };
    for (uint8_t log_count = 0; log_count < 16; ++log_count) {
        udata.log_sq_bb_count = log_count;
        for (uint8_t log_stride = 6; log_stride < 11; ++log_stride) {
            udata.log_sq_stride = log_stride;
            const uint64_t send_queue = uint64_t{1} << log_count << log_stride;
            EXPECT_EQ(length(0, 0), send_queue) << "with an SRQ";
            for (const uint32_t wr : kCounts) {
                for (const uint32_t sge : kElements) {
                    EXPECT_EQ(length(wr, sge),
                              send_queue + roundup_pow_of_two(wr) * roundup_pow_of_two(sge) * 16);
                }
            }
        }
    }
    udata.log_sq_bb_count = 0xff;
    EXPECT_EQ(length(1, 1), 0u) << "no such queue";
}

TEST(BnxtReLengths, OfACqAreThoseOfBnxtReCreateCq) {
    const bnxt_re_cq_req udata{};
    for (const uint32_t cqe : kCounts) {
        EXPECT_EQ(length_of(kBnxtReEntry.pointers, VRDMA_CMD_CREATE_CQ,
                            offsetof(bnxt_re_cq_req, cq_va), udata, counts_of_cq(cqe)),
                  roundup_pow_of_two(cqe + 1) * 32);
    }
}

TEST(BnxtReLengths, OfAnSrqAreThoseOfBnxtReInitUserSrq) {
    const bnxt_re_srq_req udata{};
    for (const uint32_t max_wr : kCounts) {
        EXPECT_EQ(length_of(kBnxtReEntry.pointers, VRDMA_CMD_CREATE_SRQ,
                            offsetof(bnxt_re_srq_req, srqva), udata, counts_of_srq(max_wr, 3)),
                  page_align(roundup_pow_of_two(max_wr + 1) * 128));
    }
}

TEST(BnxtReLengths, OfAQpAreThoseOfBnxtReInitUserQp) {
    const bnxt_re_qp_req udata{};
    for (const uint32_t wr : kCounts) {
        const auto counts = counts_of_qp(wr, wr, 2);
        const uint64_t entries = roundup_pow_of_two(wr + 128 + 1);
        EXPECT_EQ(length_of(kBnxtReEntry.pointers, VRDMA_CMD_CREATE_QP,
                            offsetof(bnxt_re_qp_req, qpsva), udata, counts),
                  page_align(entries * 128 + entries * 16));
        EXPECT_EQ(length_of(kBnxtReEntry.pointers, VRDMA_CMD_CREATE_QP,
                            offsetof(bnxt_re_qp_req, qprva), udata, counts),
                  page_align(roundup_pow_of_two(wr + 1) * 128));
    }
}

TEST(HnsLengths, OfAnSrqAreThoseOfAllocSrqBuf) {
    const hns_roce_ib_create_srq udata{};
    for (const uint32_t max_wr : kCounts) {
        for (const uint32_t max_sge : kElements) {
            const auto counts = counts_of_srq(max_wr, max_sge);
            EXPECT_EQ(length_of(kHnsEntry.pointers, VRDMA_CMD_CREATE_SRQ,
                                offsetof(hns_roce_ib_create_srq, buf_addr), udata, counts),
                      page_align(roundup_pow_of_two(max_wr) * roundup_pow_of_two(max_sge) * 16));
            EXPECT_EQ(length_of(kHnsEntry.pointers, VRDMA_CMD_CREATE_SRQ,
                                offsetof(hns_roce_ib_create_srq, que_addr), udata, counts),
                      page_align(roundup_pow_of_two(max_wr) * 4));
        }
    }
}

}  // namespace
}  // namespace vrdma::uverbs
