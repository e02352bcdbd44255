// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/guest_memory.h"

#include <gtest/gtest.h>

#include "support/guest_ram.h"
#include "support/page.h"

namespace vrdma::memory {
namespace {

using test::kPage;

std::shared_ptr<const GuestRegion> make_region(uint64_t start, uint64_t size,
                                               uint64_t vmm_start = 0x7f0000000000) {
    return test::make_guest_ram(
        {.start = start, .size = size, .vmm_start = vmm_start, .backed = false});
}

// RAM below and above a hole, as a PC has it, and a part that adjoins the upper one.
class GuestMemoryTest : public testing::Test {
  protected:
    GuestMemoryTest() {
        for (const auto& region : {low_, high_, adjoining_}) {
            auto with = memory_.with(region);
            EXPECT_TRUE(with.has_value());
            memory_ = *with;
        }
    }

    std::shared_ptr<const GuestRegion> low_ = make_region(0, 4 * kPage, 0x10000);
    std::shared_ptr<const GuestRegion> high_ = make_region(0x100000000, 4 * kPage, 0x20000);
    std::shared_ptr<const GuestRegion> adjoining_ =
        make_region(0x100000000 + 4 * kPage, kPage, 0x90000);
    GuestMemory memory_;
};

TEST_F(GuestMemoryTest, TranslatesWithinARegion) {
    auto range = memory_.translate({0x100000000 + 100}, 200);
    ASSERT_TRUE(range.has_value());
    EXPECT_EQ(range->data, high_->data() + 100);
    EXPECT_EQ(range->size, 200U);
}

TEST_F(GuestMemoryTest, TranslatesTheVeryLastByte) {
    EXPECT_TRUE(memory_.translate({4 * kPage - 1}, 1).has_value());
    EXPECT_EQ(memory_.translate({4 * kPage}, 1).error(), Errno{EFAULT});
    EXPECT_EQ(memory_.translate({4 * kPage - 1}, 2).error(), Errno{EFAULT});
}

TEST_F(GuestMemoryTest, RejectsARangeThatWrapsOrIsEmpty) {
    EXPECT_EQ(memory_.translate({UINT64_MAX - 1}, 4).error(), Errno{EINVAL});
    EXPECT_EQ(memory_.translate({100}, 0).error(), Errno{EINVAL});
    EXPECT_EQ(memory_.translate({100}, UINT64_MAX).error(), Errno{EINVAL});
}

TEST_F(GuestMemoryTest, RejectsARangeOverTwoRegions) {
    EXPECT_EQ(memory_.translate({0x100000000 + 4 * kPage - 1}, 2).error(), Errno{EFAULT});
}

TEST_F(GuestMemoryTest, PinsARangeOverTwoRegionsPieceByPiece) {
    auto first = memory_.pin_prefix({0x100000000 + 4 * kPage - 1}, 2);
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->range.size, 1U);
    auto second = memory_.pin_prefix({0x100000000 + 4 * kPage}, 1);
    ASSERT_TRUE(second.has_value());
    EXPECT_EQ(second->range.data, adjoining_->data());
}

TEST_F(GuestMemoryTest, TranslatesTheVmmsAddresses) {
    auto range = memory_.translate_vmm(0x20000 + 8, 16);
    ASSERT_TRUE(range.has_value());
    EXPECT_EQ(range->data, high_->data() + 8);
    EXPECT_EQ(memory_.translate_vmm(0x30000000, 16).error(), Errno{EFAULT});
}

TEST_F(GuestMemoryTest, RejectsARegionThatOverlaps) {
    EXPECT_EQ(memory_.with(make_region(3 * kPage, 2 * kPage)).error(), Errno{EEXIST});
    EXPECT_EQ(memory_.with(make_region(0, kPage)).error(), Errno{EEXIST});
}

TEST_F(GuestMemoryTest, RejectsARegionThatWraps) {
    EXPECT_EQ(memory_.with(make_region(UINT64_MAX - kPage + 2, kPage)).error(), Errno{EINVAL});
}

TEST_F(GuestMemoryTest, RemovesExactlyTheRegionNamed) {
    EXPECT_EQ(memory_.without({0}, kPage).error(), Errno{ENOENT});
    auto without = memory_.without({0}, 4 * kPage);
    ASSERT_TRUE(without.has_value());
    EXPECT_FALSE(without->translate({0}, 1).has_value());
    EXPECT_TRUE(without->translate({0x100000000}, 1).has_value());
}

TEST_F(GuestMemoryTest, PinnedMemoryStaysMappedAfterItsRegionIsRemoved) {
    auto pinned = memory_.pin({0}, 8);
    ASSERT_TRUE(pinned.has_value());
    memory_ = GuestMemory();
    low_.reset();
    pinned->range.data[0] = std::byte{42};
    EXPECT_EQ(pinned->range.data[0], std::byte{42});
}

}  // namespace
}  // namespace vrdma::memory
