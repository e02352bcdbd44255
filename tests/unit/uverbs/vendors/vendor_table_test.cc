// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/vendor_table.h"

#include <gtest/gtest.h>
#include <rdma/bnxt_re-abi.h>
#include <rdma/mlx5-abi.h>
#include <vrdma_check.h>
#include <vrdma_udata_memory.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace vrdma::uverbs {
namespace {

class EveryEntry : public testing::TestWithParam<const VendorEntry*> {};

TEST_P(EveryEntry, IsFoundByItsDriverId) {
    EXPECT_EQ(find_vendor(GetParam()->driver_id), GetParam());
    EXPECT_FALSE(GetParam()->name.empty());
    EXPECT_FALSE(GetParam()->abi_versions.empty());
}

TEST_P(EveryEntry, HasLengthsThatTheKernelCounts) {
    std::set<uint16_t> opcodes;
    for (const UdataLengths& lengths : GetParam()->udata) {
        EXPECT_TRUE(opcodes.insert(lengths.opcode).second) << "twice: " << lengths.opcode;
        EXPECT_EQ(lengths.in_min % 4, 0);
        EXPECT_EQ(lengths.in_max % 4, 0);
        EXPECT_EQ(lengths.out_max % 4, 0);
        EXPECT_LE(lengths.in_min, lengths.in_max);
    }
}

TEST_P(EveryEntry, HasPointersWithinTheBytesOfTheirVerbs) {
    const auto& entry = *GetParam();
    EXPECT_LE(entry.pointers.size(), size_t{VRDMA_MAX_UDATA_POINTERS});
    for (const vrdma_udata_pointer& pointer : entry.pointers) {
        EXPECT_LE(pointer.offset + sizeof(uint64_t), entry.lengths(pointer.opcode).in_max);
        EXPECT_EQ(pointer.offset % sizeof(uint64_t), 0u);
        const auto of_verb =
            std::ranges::count(entry.pointers, pointer.opcode, &vrdma_udata_pointer::opcode);
        EXPECT_LE(of_verb, VRDMA_MAX_UDATA_REGIONS);
    }
}

TEST_P(EveryEntry, WithholdsOnlyBitsThatTheVerbHas) {
    const auto& entry = *GetParam();
    for (const WithheldBits& withheld : entry.withheld) {
        const UdataLengths& lengths = entry.lengths(withheld.opcode);
        const bool in_answer = withheld.action == WithheldBits::Action::kHide;
        EXPECT_LE(withheld.offset + sizeof(uint64_t), in_answer ? lengths.out_max : lengths.in_max);
        EXPECT_NE(withheld.bits, 0u);
    }
}

TEST_P(EveryEntry, HasPointersThatTheGuestsDriverKnows) {
    for (const vrdma_udata_pointer& pointer : GetParam()->pointers) {
        EXPECT_TRUE(vrdma_udata_pointer_valid(&pointer)) << pointer.opcode << " " << pointer.offset;
    }
}

TEST_P(EveryEntry, HasMmapKeysWithinTheAnswersOfTheirVerbs) {
    const auto& entry = *GetParam();
    for (const MmapKey& key : entry.mmap_keys) {
        EXPECT_LE(key.offset + sizeof(uint64_t), entry.lengths(key.opcode).out_max);
    }
}

TEST_P(EveryEntry, OpensTheDaemonsOwnContextAsAUserLibraryMay) {
    const auto& entry = *GetParam();
    const UdataLengths& lengths = entry.lengths(VRDMA_CMD_ALLOC_UCONTEXT);
    EXPECT_GE(entry.own_context.size(), lengths.in_min);
    EXPECT_LE(entry.own_context.size(), lengths.in_max);
    EXPECT_LE(entry.own_context_answer, lengths.out_max);
}

INSTANTIATE_TEST_SUITE_P(VendorTable, EveryEntry,
                         testing::ValuesIn(vendor_table().begin(), vendor_table().end()),
                         [](const auto& test) { return std::string(test.param->name); });

TEST(VendorTable, HasNoEntryForADriverThatNobodyKnows) {
    EXPECT_EQ(find_vendor(RDMA_DRIVER_UNKNOWN), nullptr);
}

TEST(VendorTable, DescribesTheDevicesOfBnxtReWithSuchQueues) {
    bnxt_re_uctx_resp answer{};
    const auto described = [&](uint32_t chip_id0) {
        answer.chip_id0 = chip_id0;
        return describes_device(kBnxtReEntry, std::as_bytes(std::span(&answer, 1)));
    };
    EXPECT_TRUE(described(0x1750)) << "BCM57508";
    EXPECT_TRUE(described(0x11'1751)) << "BCM57504 of some revision";
    EXPECT_FALSE(described(0x1760)) << "BCM57608";
    EXPECT_FALSE(described(0x16d7)) << "BCM57414";
    EXPECT_FALSE(describes_device(kBnxtReEntry, {})) << "an answer that does not tell";
    EXPECT_TRUE(describes_device(kRxeEntry, {})) << "all devices of the driver";
}

TEST(VendorTable, NeedsTheDevicesAnswerWhereAScaleIsTheDevices) {
    EXPECT_FALSE(pointers_on_device(kMlx4Entry, {}));
    EXPECT_TRUE(pointers_on_device(kMlx5Entry, {}));
}

TEST(VendorTable, AVerbThatIsNotListedHasNoPrivateBytes) {
    const UdataLengths& lengths = kRxeEntry.lengths(VRDMA_CMD_REG_MR);
    EXPECT_EQ(lengths.in_max, 0);
    EXPECT_EQ(lengths.out_max, 0);
}

class Mlx5Lengths : public testing::Test {
  protected:
    // The bytes behind the pointer at `offset` of the verb's private bytes; 0 for none.
    template <typename Udata>
    uint64_t length(vrdma_opcode opcode, size_t offset, const Udata& udata,
                    vrdma_udata_counts counts = {}) {
        for (const vrdma_udata_pointer& pointer : kMlx5Entry.pointers) {
            __u64 length = 0;
            if (pointer.opcode == opcode && pointer.offset == offset &&
                vrdma_udata_length(&pointer, &udata, sizeof(udata), &counts, &length) != 0) {
                return length;
            }
        }
        return 0;
    }
};

TEST_F(Mlx5Lengths, OfACqIsThatOfItsRoundedEntries) {
    mlx5_ib_create_cq udata{};
    udata.cqe_size = 128;
    EXPECT_EQ(length(VRDMA_CMD_CREATE_CQ, offsetof(mlx5_ib_create_cq, buf_addr), udata,
                     {.cqe = 100, .max_wr = 0, .max_sge = 0, .max_send_wr = 0}),
              128u * 128);
}

TEST_F(Mlx5Lengths, OfAResizedCqIsThatOfItsRoundedEntries) {
    mlx5_ib_resize_cq udata{};
    udata.cqe_size = 128;
    EXPECT_EQ(length(VRDMA_CMD_RESIZE_CQ, offsetof(mlx5_ib_resize_cq, buf_addr), udata,
                     vrdma_udata_counts{.cqe = 1000, .max_wr = 0, .max_sge = 0, .max_send_wr = 0}),
              1024u * 128);
}

TEST_F(Mlx5Lengths, OfAQueuePairIsThatOfBothQueues) {
    mlx5_ib_create_qp udata{};
    udata.sq_wqe_count = 256;
    udata.rq_wqe_count = 64;
    udata.rq_wqe_shift = 5;
    EXPECT_EQ(length(VRDMA_CMD_CREATE_QP, offsetof(mlx5_ib_create_qp, buf_addr), udata),
              64u * 32 + 256 * 64);
}

TEST_F(Mlx5Lengths, OfAnSrqIsThatOfItsRoundedElements) {
    const mlx5_ib_create_srq udata{};
    // 16 + 3 * 16 is a power of two; 16 + 4 * 16 is not.
    EXPECT_EQ(length(VRDMA_CMD_CREATE_SRQ, offsetof(mlx5_ib_create_srq, buf_addr), udata,
                     {.cqe = 0, .max_wr = 63, .max_sge = 3, .max_send_wr = 0}),
              64u * 64);
    EXPECT_EQ(length(VRDMA_CMD_CREATE_SRQ, offsetof(mlx5_ib_create_srq, buf_addr), udata,
                     {.cqe = 0, .max_wr = 64, .max_sge = 4, .max_send_wr = 0}),
              128u * 128);
}

TEST_F(Mlx5Lengths, OfAnSrqWithoutScatterElementsAreThoseWithOne) {
    const mlx5_ib_create_srq udata{};
    // mlx5_ib_create_srq: an element has 32 bytes at least.
    EXPECT_EQ(length(VRDMA_CMD_CREATE_SRQ, offsetof(mlx5_ib_create_srq, buf_addr), udata,
                     {.cqe = 0, .max_wr = 63, .max_sge = 0, .max_send_wr = 0}),
              64u * 32);
}

TEST_F(Mlx5Lengths, OfADoorbellRecordIsThatOfTwoCounters) {
    const mlx5_ib_create_cq udata{};
    EXPECT_EQ(length(VRDMA_CMD_CREATE_CQ, offsetof(mlx5_ib_create_cq, db_addr), udata), 8u);
}

TEST(VendorTable, TellsHowMlx5sPagesAreMapped) {
    const auto offset = [](mlx5_ib_mmap_cmd command) { return uint64_t{command} << 20 | 7 << 12; };
    const auto rule = [&](mlx5_ib_mmap_cmd command) {
        return kMlx5Entry.mmap_rule(offset(command));
    };
    EXPECT_EQ(rule(MLX5_IB_MMAP_WC_PAGE).caching, uint32_t{VRDMA_MMAP_WRITE_COMBINE});
    EXPECT_EQ(rule(MLX5_IB_MMAP_NC_PAGE).caching, uint32_t{VRDMA_MMAP_NONCACHED});
    EXPECT_FALSE(rule(MLX5_IB_MMAP_NC_PAGE).read_only);
    EXPECT_TRUE(rule(MLX5_IB_MMAP_CLOCK_INFO).read_only);
    EXPECT_TRUE(rule(MLX5_IB_MMAP_CORE_CLOCK).read_only);
}

}  // namespace
}  // namespace vrdma::uverbs
