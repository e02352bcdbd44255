// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "device/handle_table.h"
#include "device/shm_allocator.h"

namespace vrdma::device {
namespace {

constexpr uint64_t kPage = 4096;

TEST(WindowAllocatorTest, GivesDisjointRanges) {
    WindowAllocator window(8 * kPage);
    std::set<uint64_t> offsets;
    for (int i = 0; i < 8; ++i) {
        auto offset = window.allocate(kPage);
        ASSERT_TRUE(offset.has_value());
        EXPECT_TRUE(offsets.insert(*offset).second);
        EXPECT_LT(*offset, window.size());
    }
    EXPECT_EQ(window.allocate(kPage).error(), Errno{ENOMEM});
    EXPECT_EQ(window.used(), window.size());
}

TEST(WindowAllocatorTest, FreedRangesMergeInAnyOrder) {
    for (const auto& order : {std::array{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}}) {
        WindowAllocator window(3 * kPage);
        std::array<uint64_t, 3> offsets{};
        for (auto& offset : offsets) {
            offset = window.allocate(kPage).value();
        }
        for (const int i : order) {
            window.free(offsets[i], kPage);
        }
        EXPECT_EQ(window.used(), 0U);
        EXPECT_TRUE(window.allocate(3 * kPage).has_value());
    }
}

TEST(WindowAllocatorTest, RefusesWhatIsLargerThanAnyFreeRange) {
    WindowAllocator window(4 * kPage);
    const uint64_t first = window.allocate(kPage).value();
    ASSERT_TRUE(window.allocate(kPage).has_value());
    window.free(first, kPage);
    EXPECT_EQ(window.allocate(3 * kPage).error(), Errno{ENOMEM});
}

TEST(WindowAllocatorTest, AWindowWithoutSizeHasNoRoom) {
    WindowAllocator window;
    EXPECT_EQ(window.allocate(kPage).error(), Errno{ENOMEM});
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
