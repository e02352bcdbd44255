// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What of the driver's memory a context may map, and how.
#include "rnic/uverbs/verbs/mmap_keys.h"

#include <gtest/gtest.h>
#include <rdma/bnxt_re-abi.h>
#include <rdma/cxgb4-abi.h>

#include <optional>

namespace vrdma::uverbs {
namespace {

template <typename Answer>
std::span<const std::byte> bytes_of(const Answer& answer) {
    return std::as_bytes(std::span(&answer, 1));
}

// Linux 6.1's bnxt_re maps whatever page of the host's memory the offset names.
TEST(MmapKeysTest, BnxtReMapsTheDoorbellsOfTheContextAndNothingElse) {
    MmapKeys keys;
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0x1000), std::nullopt);
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0xfd00'3000), std::nullopt);
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0), std::optional<uint32_t>(VRDMA_MMAP_CACHED));
    bnxt_re_pd_resp answer{};
    answer.dbr = 0xfd00'3000;
    keys.remember(kBnxtReEntry, VRDMA_CMD_ALLOC_PD, bytes_of(answer));
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0xfd00'3000),
              std::optional<uint32_t>(VRDMA_MMAP_NONCACHED));
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0xfd00'4000), std::nullopt);
    EXPECT_EQ(MmapKeys().caching(kBnxtReEntry, 0xfd00'3000), std::nullopt) << "another context";
}

TEST(MmapKeysTest, AnAnswerThatEndsBeforeAKeyTellsNone) {
    MmapKeys keys;
    bnxt_re_pd_resp answer{};
    answer.dbr = 0xfd00'3000;
    keys.remember(kBnxtReEntry, VRDMA_CMD_ALLOC_PD, bytes_of(answer).first(12));
    keys.remember(kBnxtReEntry, VRDMA_CMD_REG_MR, bytes_of(answer));
    EXPECT_EQ(keys.caching(kBnxtReEntry, 0xfd00'3000), std::nullopt);
}

TEST(MmapKeysTest, Cxgb4sQueuesAreCachedAndItsDoorbellsAreNot) {
    MmapKeys keys;
    c4iw_create_qp_resp answer{};
    answer.ma_sync_key = 0x5000;
    answer.sq_key = 0x6000;
    answer.sq_db_gts_key = 0x7000;
    keys.remember(kCxgb4Entry, VRDMA_CMD_CREATE_QP, bytes_of(answer));
    EXPECT_EQ(keys.caching(kCxgb4Entry, 0x6000), std::optional<uint32_t>(VRDMA_MMAP_CACHED));
    EXPECT_EQ(keys.caching(kCxgb4Entry, 0x7000), std::optional<uint32_t>(VRDMA_MMAP_WRITE_COMBINE));
    EXPECT_EQ(keys.caching(kCxgb4Entry, 0x5000), std::nullopt) << "registers of the adapter";
    EXPECT_EQ(keys.caching(kCxgb4Entry, 0), std::nullopt)
        << "the status page, and no key of a receive queue that is not there";
}

// The page of the adapter's registers that mlx4_ib_mmap lets everybody write.
TEST(MmapKeysTest, Mlx4MapsItsDoorbellsAndNotTheClock) {
    const MmapKeys keys;
    EXPECT_EQ(keys.caching(kMlx4Entry, 0), std::optional<uint32_t>(VRDMA_MMAP_NONCACHED));
    EXPECT_EQ(keys.caching(kMlx4Entry, 0x1000), std::optional<uint32_t>(VRDMA_MMAP_WRITE_COMBINE));
    EXPECT_EQ(keys.caching(kMlx4Entry, 0x3000), std::nullopt);
}

TEST(MmapKeysTest, OtherDriversJudgeOffsetsThemselves) {
    EXPECT_EQ(MmapKeys().caching(kRxeEntry, 0x7000), std::optional<uint32_t>(VRDMA_MMAP_CACHED));
}

TEST(MmapKeysTest, TheOldestOffsetsAreForgotten) {
    MmapKeys keys;
    bnxt_re_pd_resp answer{};
    for (uint64_t page = 1; page <= MmapKeys::kMax + 1; ++page) {
        answer.dbr = page * 4096;
        keys.remember(kBnxtReEntry, VRDMA_CMD_ALLOC_PD, bytes_of(answer));
    }
    EXPECT_EQ(keys.caching(kBnxtReEntry, 4096), std::nullopt);
    EXPECT_NE(keys.caching(kBnxtReEntry, uint64_t{2} * 4096), std::nullopt);
    EXPECT_NE(keys.caching(kBnxtReEntry, (MmapKeys::kMax + 1) * 4096), std::nullopt);
}

}  // namespace
}  // namespace vrdma::uverbs
