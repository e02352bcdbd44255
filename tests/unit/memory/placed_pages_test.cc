// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/placed_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "support/guest_ram.h"
#include "support/page.h"

namespace vrdma::memory {
namespace {

using testing::HasSubstr;

using test::kPage;

class PlacedPagesTest : public testing::Test {
  protected:
    PlacedPagesTest() {
        // Addresses at which this process has nothing mapped.
        void* free = ::mmap(nullptr, 64 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ::munmap(free, 64 * kPage);
        address = reinterpret_cast<uintptr_t>(free);
    }

    PinnedRange pages(uint64_t first, uint64_t count = 1) const {
        return {{region->data() + first * kPage, count * kPage}, region};
    }
    Result<PlacedPages::Lease> place(uint64_t at, const std::vector<PinnedRange>& pieces) {
        return placed.place(at, pieces, budget, reason);
    }
    static uint64_t number_at(uint64_t where) {
        uint64_t number;
        std::memcpy(&number, reinterpret_cast<const void*>(where), sizeof(number));
        return number;
    }
    static bool is_mapped(uint64_t where) {
        return ::msync(reinterpret_cast<void*>(where), kPage, MS_ASYNC) == 0;
    }

    std::shared_ptr<const GuestRegion> region = test::make_guest_ram();
    MappingBudget budget;
    PlacedPages placed;
    std::string reason;
    uint64_t address = 0;
};

TEST_F(PlacedPagesTest, ScatteredPagesAreAtTheAddressesThatTheGuestHas) {
    auto lease = place(address, {pages(5), pages(2), pages(9, 2)});
    ASSERT_TRUE(lease) << reason;
    EXPECT_EQ(number_at(address), 5u);
    EXPECT_EQ(number_at(address + kPage), 2u);
    EXPECT_EQ(number_at(address + 2 * kPage), 9u);
    EXPECT_EQ(number_at(address + 3 * kPage), 10u);
}

TEST_F(PlacedPagesTest, PagesAreGoneWithTheLease) {
    {
        auto lease = place(address, {pages(5, 3)});
        ASSERT_TRUE(lease) << reason;
        EXPECT_TRUE(is_mapped(address + 2 * kPage));
    }
    for (unsigned page = 0; page < 3; ++page) {
        EXPECT_FALSE(is_mapped(address + page * kPage)) << page;
    }
}

TEST_F(PlacedPagesTest, MemoryMayBeginAndEndInsidePages) {
    const PinnedRange inside{{region->data() + 3 * kPage + 100, 2 * kPage}, region};
    auto lease = place(address + 100, {inside});
    ASSERT_TRUE(lease) << reason;
    EXPECT_EQ(number_at(address), 3u);
    EXPECT_EQ(number_at(address + 2 * kPage), 5u);
}

TEST_F(PlacedPagesTest, RegionsOfOneProcessMayShareAPage) {
    auto first = place(address, {pages(4, 2)});
    auto second = place(address + kPage, {pages(5, 2)});
    ASSERT_TRUE(first && second) << reason;
    *first = {};
    EXPECT_FALSE(is_mapped(address));
    EXPECT_EQ(number_at(address + kPage), 5u);
    *second = {};
    EXPECT_FALSE(is_mapped(address + kPage));
}

TEST_F(PlacedPagesTest, OtherMemoryAtTheSameAddressIsRefused) {
    auto first = place(address + kPage, {pages(4)});
    ASSERT_TRUE(first) << reason;
    auto second = place(address, {pages(7, 2)});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error(), Errno{EADDRINUSE});
    EXPECT_EQ(number_at(address + kPage), 4u);
    EXPECT_FALSE(is_mapped(address)) << "what was placed before the refusal";
}

TEST_F(PlacedPagesTest, WhatTheProcessItselfHasIsNotReplaced) {
    alignas(4096) static char own[2 * kPage] = "mine";
    auto lease = place(reinterpret_cast<uintptr_t>(own), {pages(1)});
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error(), Errno{EADDRINUSE});
    EXPECT_THAT(reason, HasSubstr("by the daemon itself"));
    EXPECT_STREQ(own, "mine");
}

TEST_F(PlacedPagesTest, AnotherProcessOfAGuestMayHaveTheAddressTaken) {
    auto lease = place(address, {pages(1)});
    ASSERT_TRUE(lease) << reason;
    PlacedPages others;
    EXPECT_EQ(others.place(address, std::vector{pages(1)}, budget, reason).error(),
              Errno{EADDRINUSE});
}

TEST_F(PlacedPagesTest, AddressesThatNoUserHasAreRefused) {
    const auto error_at = [&](uint64_t where) {
        auto lease = place(where, {pages(1)});
        return lease ? Errno{} : lease.error();
    };
    EXPECT_EQ(error_at(0), Errno{EINVAL});
    EXPECT_EQ(error_at(UINT64_MAX - kPage + 1), Errno{EINVAL});
    EXPECT_EQ(error_at(0xffff'8000'0000'0000), Errno{EINVAL});
}

TEST_F(PlacedPagesTest, AddressesThatNoProcessCanHaveAreRefused) {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "ThreadSanitizer replaces such an address by 0 before the kernel sees it";
#endif
    EXPECT_FALSE(place(uint64_t{1} << 60, {pages(1)}));
}

TEST_F(PlacedPagesTest, PiecesThatDoNotMeetAtPagesAreRefused) {
    const PinnedRange half{{region->data(), kPage / 2}, region};
    EXPECT_EQ(place(address, {half, pages(3)}).error(), Errno{EINVAL});
    EXPECT_EQ(place(address + 1, {pages(3)}).error(), Errno{EINVAL});
    EXPECT_EQ(place(address, {}).error(), Errno{EINVAL});
}

TEST_F(PlacedPagesTest, GuestMemoryInHugePagesIsRefused) {
    region = test::make_guest_ram({.page_size = 512 * kPage});
    EXPECT_EQ(place(address, {pages(0)}).error(), Errno{EOPNOTSUPP});
}

}  // namespace
}  // namespace vrdma::memory
