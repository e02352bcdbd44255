// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/doorbell_scan.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace vrdma::uverbs {
namespace {

class DoorbellScan : public testing::Test {
  protected:
    void ring(uint32_t handle) {
        bitmap->bits[handle / 64] |= uint64_t{1} << handle % 64;
        bitmap->summary[handle / 4096] |= uint64_t{1} << handle / 64 % 64;
        bitmap->root |= uint64_t{1} << handle / 4096;
    }
    std::vector<uint32_t> take() {
        std::vector<uint32_t> handles;
        rnic::take_doorbells(*bitmap, [&](uint32_t handle) { handles.push_back(handle); });
        return handles;
    }

    std::unique_ptr<vrdma_doorbell_bitmap> bitmap = std::make_unique<vrdma_doorbell_bitmap>();
};

TEST_F(DoorbellScan, FindsWhatHasRungInTheOrderOfHandles) {
    const std::vector<uint32_t> handles{0, 63, 64, 4095, 4096, 40000, VRDMA_DB_MAX_HANDLES - 1};
    for (const uint32_t handle : handles) {
        ring(handle);
    }
    EXPECT_EQ(take(), handles);
}

TEST_F(DoorbellScan, TakesEachRingOnce) {
    ring(5);
    take();
    EXPECT_TRUE(take().empty());
    EXPECT_FALSE(rnic::has_rung(*bitmap, std::memory_order_relaxed));
}

TEST_F(DoorbellScan, ARingDuringTheScanIsFoundByTheNext) {
    ring(5);
    rnic::take_doorbells(*bitmap, [this](uint32_t) { ring(5); });
    EXPECT_TRUE(rnic::has_rung(*bitmap, std::memory_order_relaxed));
    EXPECT_EQ(take(), std::vector<uint32_t>{5});
}

TEST_F(DoorbellScan, RootBitsWithoutASummaryLeadNowhere) {
    bitmap->root = ~uint64_t{0};
    EXPECT_TRUE(take().empty());
}

TEST_F(DoorbellScan, AllBitsNameEachHandleOnce) {
    bitmap->root = ~uint64_t{0};
    for (auto& word : bitmap->summary) {
        word = ~uint64_t{0};
    }
    for (auto& word : bitmap->bits) {
        word = ~uint64_t{0};
    }
    const auto handles = take();
    EXPECT_EQ(handles.size(), size_t{VRDMA_DB_MAX_HANDLES});
    EXPECT_EQ(handles.back(), uint32_t{VRDMA_DB_MAX_HANDLES - 1});
}

}  // namespace
}  // namespace vrdma::uverbs
