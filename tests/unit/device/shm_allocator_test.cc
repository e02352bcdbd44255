// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <gtest/gtest.h>

#include <set>

#include "device/objects/handle_table.h"
#include "device/shm/shm_allocator.h"
#include "support/page.h"

namespace vrdma::device {
namespace {

using test::kPage;

TEST(ShmAllocatorTest, GivesDisjointRanges) {
    ShmAllocator shm(8 * kPage);
    std::set<uint64_t> offsets;
    for (int i = 0; i < 8; ++i) {
        auto offset = shm.allocate(kPage);
        ASSERT_TRUE(offset.has_value());
        EXPECT_TRUE(offsets.insert(*offset).second);
        EXPECT_LT(*offset, shm.size());
    }
    EXPECT_EQ(shm.allocate(kPage).error(), Errno{ENOMEM});
    EXPECT_EQ(shm.used(), shm.size());
}

TEST(ShmAllocatorTest, FreedRangesMergeInAnyOrder) {
    for (const auto& order : {std::array{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
        ShmAllocator shm(3 * kPage);
        std::array<uint64_t, 3> offsets{};
        for (auto& offset : offsets) {
            offset = shm.allocate(kPage).value();
        }
        for (const int i : order) {
            shm.free(offsets[i], kPage);
        }
        EXPECT_EQ(shm.used(), 0U);
        EXPECT_TRUE(shm.allocate(3 * kPage).has_value());
    }
}

TEST(ShmAllocatorTest, RefusesWhatIsLargerThanAnyFreeRange) {
    ShmAllocator shm(4 * kPage);
    const uint64_t first = shm.allocate(kPage).value();
    ASSERT_TRUE(shm.allocate(kPage).has_value());
    shm.free(first, kPage);
    EXPECT_EQ(shm.allocate(3 * kPage).error(), Errno{ENOMEM});
}

TEST(ShmAllocatorTest, ARegionWithoutSizeHasNoRoom) {
    ShmAllocator shm;
    EXPECT_EQ(shm.allocate(kPage).error(), Errno{ENOMEM});
}

TEST(HandleTableTest, AFreedHandleIsTheLastToComeBack) {
    HandleTable<int> table(4);
    const uint32_t first = table.free_handle().value();
    table.insert(first, 1);
    table.erase(first);
    std::set<uint32_t> handles;
    for (int i = 0; i < 3; ++i) {
        const uint32_t handle = table.free_handle().value();
        EXPECT_NE(handle, first);
        table.insert(handle, i);
        handles.insert(handle);
    }
    EXPECT_EQ(handles.size(), 3U);
    EXPECT_EQ(table.free_handle().value(), first);
}

TEST(HandleTableTest, GivesAsManyHandlesAsTheLimitSays) {
    HandleTable<int> table(3);
    for (int i = 0; i < 3; ++i) {
        const uint32_t handle = table.free_handle().value();
        EXPECT_LT(handle, 3U);
        table.insert(handle, i);
    }
    EXPECT_EQ(table.free_handle().error(), Errno{EDQUOT});
    EXPECT_EQ(table.find(7), nullptr);
}

}  // namespace
}  // namespace vrdma::device
