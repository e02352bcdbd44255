// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "memory/stitched_mapping.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <string>
#include <thread>

#include "support/guest_ram.h"
#include "support/page.h"

namespace vrdma::memory {
namespace {

using test::make_guest_ram;
using testing::HasSubstr;

using test::kPage;

constexpr uint64_t kHugePage = 512 * kPage;

PinnedRange piece(const std::shared_ptr<const GuestRegion>& region, uint64_t offset,
                  uint64_t length) {
    return {{region->data() + offset, length}, region};
}

PinnedRange page(const std::shared_ptr<const GuestRegion>& region, uint64_t number,
                 uint64_t count = 1) {
    return piece(region, number * kPage, count * kPage);
}

uint64_t number_at(const std::byte* address) {
    return *reinterpret_cast<const uint64_t*>(address);
}

// The number of mappings of guest RAM in this process.
uint64_t mappings_of_ram() {
    std::ifstream maps("/proc/self/maps");
    uint64_t count = 0;
    for (std::string line; std::getline(maps, line);) {
        if (line.find("memfd:ram") != std::string::npos) {
            ++count;
        }
    }
    return count;
}

class StitchedMappingTest : public testing::Test {
  protected:
    Result<StitchedMapping> stitch(const std::vector<PinnedRange>& pieces,
                                   uint64_t offset_in_page = 0) {
        return StitchedMapping::make(pieces, offset_in_page, budget_, reason_);
    }

    int error_of(const std::vector<PinnedRange>& pieces, uint64_t offset_in_page = 0) {
        auto mapping = stitch(pieces, offset_in_page);
        return mapping ? 0 : to_int(mapping.error());
    }

    std::shared_ptr<const GuestRegion> ram_ = make_guest_ram();
    MappingBudget budget_;
    std::string reason_;
};

TEST_F(StitchedMappingTest, OneContiguousPieceIsUsedWhereItIs) {
    auto mapping = stitch({page(ram_, 3, 2)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(mapping->data(), ram_->data() + 3 * kPage);
    EXPECT_EQ(mapping->size(), 2 * kPage);
    EXPECT_EQ(mapping->mappings(), 0U);
}

TEST_F(StitchedMappingTest, PiecesThatAdjoinAreUsedWhereTheyAre) {
    auto mapping = stitch({page(ram_, 3), page(ram_, 4)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(mapping->data(), ram_->data() + 3 * kPage);
}

TEST_F(StitchedMappingTest, ScatteredPagesLieInTheOrderOfThePieces) {
    auto mapping = stitch({page(ram_, 7), page(ram_, 2), page(ram_, 15), page(ram_, 0)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(mapping->size(), 4 * kPage);
    EXPECT_EQ(number_at(mapping->data()), 7U);
    EXPECT_EQ(number_at(mapping->data() + kPage), 2U);
    EXPECT_EQ(number_at(mapping->data() + 2 * kPage), 15U);
    EXPECT_EQ(number_at(mapping->data() + 3 * kPage), 0U);
}

TEST_F(StitchedMappingTest, ItIsTheGuestsMemoryAndNoCopy) {
    auto mapping = stitch({page(ram_, 7), page(ram_, 2)});
    ASSERT_TRUE(mapping.has_value());
    mapping->data()[kPage + 100] = std::byte{42};
    EXPECT_EQ(ram_->data()[2 * kPage + 100], std::byte{42});
}

TEST_F(StitchedMappingTest, OnePageCanBeThereTwice) {
    auto mapping = stitch({page(ram_, 7), page(ram_, 7)});
    ASSERT_TRUE(mapping.has_value());
    mapping->data()[100] = std::byte{42};
    EXPECT_EQ(mapping->data()[kPage + 100], std::byte{42});
}

TEST_F(StitchedMappingTest, MayBeginAndEndInsideAPage) {
    auto mapping = stitch(
        {piece(ram_, 8 * kPage - 100, 100), page(ram_, 2), piece(ram_, 5 * kPage, 8)}, kPage - 100);
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(mapping->size(), kPage + 108);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % kPage, kPage - 100);
    EXPECT_EQ(number_at(mapping->data() + 100), 2U);
    EXPECT_EQ(number_at(mapping->data() + 100 + kPage), 5U);
}

TEST_F(StitchedMappingTest, PiecesThatFollowEachOtherInTheFileAreMappedAtOnce) {
    auto mapping = stitch({page(ram_, 7), page(ram_, 8), page(ram_, 9), page(ram_, 1)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(mapping->mappings(), 2U);
    EXPECT_EQ(number_at(mapping->data() + 2 * kPage), 9U);
    EXPECT_EQ(number_at(mapping->data() + 3 * kPage), 1U);
}

TEST_F(StitchedMappingTest, JoinsPiecesOfSeveralRegions) {
    const auto other = make_guest_ram();
    auto mapping = stitch({page(other, 4), page(ram_, 5), page(other, 6)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(number_at(mapping->data()), 4U);
    EXPECT_EQ(number_at(mapping->data() + kPage), 5U);
    mapping->data()[2 * kPage + 100] = std::byte{42};
    EXPECT_EQ(other->data()[6 * kPage + 100], std::byte{42});
}

TEST_F(StitchedMappingTest, LongRunsAreThereBeforeTheyAreTouched) {
    auto mapping = stitch({page(ram_, 8, 8), page(ram_, 0, 8)});
    ASSERT_TRUE(mapping.has_value());
    uint64_t entry = 0;
    const FileDescriptor pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
    for (uint64_t i = 0; i < 16; ++i) {
        const auto number = (reinterpret_cast<uintptr_t>(mapping->data()) + i * kPage) / kPage;
        ASSERT_EQ(::pread(pagemap.get(), &entry, sizeof(entry),
                          static_cast<off_t>(number * sizeof(entry))),
                  static_cast<ssize_t>(sizeof(entry)));
        EXPECT_NE(entry >> 63, 0U) << "page " << i;  // Documentation/admin-guide/mm/pagemap.rst
    }
}

TEST_F(StitchedMappingTest, KeepsTheMemoryMappedWhenTheRegionIsRemoved) {
    auto scattered = stitch({page(ram_, 7), page(ram_, 2)});
    auto contiguous = stitch({page(ram_, 3)});
    ASSERT_TRUE(scattered.has_value() && contiguous.has_value());
    ram_.reset();
    EXPECT_EQ(number_at(scattered->data() + kPage), 2U);
    EXPECT_EQ(number_at(contiguous->data()), 3U);
}

TEST_F(StitchedMappingTest, LeavesNoMappingBehind) {
    const uint64_t before = mappings_of_ram();
    {
        auto mapping = stitch({page(ram_, 7), page(ram_, 2), page(ram_, 5)});
        ASSERT_TRUE(mapping.has_value());
        EXPECT_GT(mappings_of_ram(), before);
        StitchedMapping moved = std::move(*mapping);
        EXPECT_EQ(number_at(moved.data()), 7U);
    }
    EXPECT_EQ(mappings_of_ram(), before);
}

TEST_F(StitchedMappingTest, RefusesNothingAtAll) {
    EXPECT_EQ(error_of({}), EINVAL);
    EXPECT_EQ(error_of({piece(ram_, 0, 0)}), EINVAL);
}

TEST_F(StitchedMappingTest, RefusesSizesWhoseSumWraps) {
    EXPECT_EQ(error_of({piece(ram_, 0, UINT64_MAX), page(ram_, 1)}), EINVAL);
    EXPECT_EQ(error_of({piece(ram_, 0, uint64_t{1} << 63)}), EINVAL);
}

TEST_F(StitchedMappingTest, RefusesAStartAtAnotherOffsetInThePage) {
    EXPECT_EQ(error_of({piece(ram_, 100, 8)}, 200), EINVAL);
    EXPECT_THAT(reason_, HasSubstr("begins at byte 100 of a page, and is to begin at byte 200"));
}

TEST_F(StitchedMappingTest, RefusesAnInnerBoundaryInsideAPage) {
    EXPECT_EQ(error_of({piece(ram_, 0, kPage - 8), page(ram_, 2)}), EINVAL);
    EXPECT_THAT(reason_, HasSubstr("piece 1 of 2"));
    EXPECT_EQ(error_of({page(ram_, 2), piece(ram_, 4 * kPage + 8, kPage - 8)}), EINVAL);
    EXPECT_THAT(reason_, HasSubstr("piece 2 of 2"));
    EXPECT_EQ(error_of({page(ram_, 2), piece(ram_, 4 * kPage, 8), page(ram_, 9)}), EINVAL);
}

TEST_F(StitchedMappingTest, RefusesScatteredMemoryThatIsInNoFile) {
    const auto region = make_guest_ram({.size = 4 * kPage, .backed = false});
    EXPECT_EQ(error_of({page(region, 3), page(region, 1)}), EOPNOTSUPP);
    EXPECT_EQ(error_of({page(region, 1)}), 0) << "nothing has to be mapped for this";
}

TEST_F(StitchedMappingTest, AFailureInTheMiddleLeavesNoMappingBehind) {
    const auto unwritable = make_guest_ram({.file_flags = O_RDONLY});
    const uint64_t before = mappings_of_ram();
    EXPECT_EQ(error_of({page(ram_, 3), page(ram_, 1), page(unwritable, 2)}), EACCES);
    EXPECT_THAT(reason_, HasSubstr("mapping piece 3 of 3"));
    EXPECT_EQ(mappings_of_ram(), before);
}

// A file of huge pages can be mapped by whole ones only.  These tests give an ordinary file
// such a page size: what is asked of the kernel then has to fit huge pages.
TEST_F(StitchedMappingTest, HugePagesAreMappedAtTheirOwnBoundaries) {
    const auto huge = make_guest_ram({.size = size_t{4} * 512 * kPage, .page_size = kHugePage});
    auto mapping = stitch({piece(huge, 2 * kHugePage, kHugePage), piece(huge, 0, kHugePage)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % kHugePage, 0U);
    EXPECT_EQ(mapping->mappings(), 2U);
    EXPECT_EQ(number_at(mapping->data()), 1024U);
    EXPECT_EQ(number_at(mapping->data() + kHugePage), 0U);
}

TEST_F(StitchedMappingTest, HugePagesMayBeginAndEndInside) {
    const auto huge = make_guest_ram({.size = size_t{4} * 512 * kPage, .page_size = kHugePage});
    auto mapping = stitch({piece(huge, 3 * kHugePage - kPage, kPage), piece(huge, 0, kPage)});
    ASSERT_TRUE(mapping.has_value());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(mapping->data()) % kHugePage, kHugePage - kPage);
    EXPECT_EQ(number_at(mapping->data()), 3 * 512U - 1);
    EXPECT_EQ(number_at(mapping->data() + kPage), 0U);
}

TEST_F(StitchedMappingTest, SmallPiecesOfHugePagesAreRefusedWithAdvice) {
    const auto huge = make_guest_ram({.size = size_t{4} * 512 * kPage, .page_size = kHugePage});
    EXPECT_EQ(error_of({page(huge, 1), page(huge, 700)}), EOPNOTSUPP);
    EXPECT_THAT(reason_, HasSubstr("which have 2097152 bytes"));
    EXPECT_THAT(reason_, HasSubstr("back the guest's RAM with ordinary pages"));
}

TEST_F(StitchedMappingTest, MapsTheKernelsHugePages) {
    const FileDescriptor fd(::memfd_create("ram", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
    if (!fd || ::ftruncate(fd.get(), 4 * kHugePage) != 0) {
        GTEST_SKIP() << "no hugetlbfs here";
    }
    auto ram = Mapping::map(fd.get(), 0, 4 * kHugePage);
    // MAP_POPULATE fails where a first access would be killed.
    void* populated = ::mmap(nullptr, 4 * kHugePage, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_POPULATE, fd.get(), 0);
    if (!ram || populated == MAP_FAILED) {
        GTEST_SKIP() << "no huge pages are reserved here";
    }
    ::munmap(populated, 4 * kHugePage);
    for (uint64_t number = 0; number < 4; ++number) {
        *reinterpret_cast<uint64_t*>(ram->data() + number * kHugePage) = number;
    }
    FileDescriptor backing(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    const auto region =
        std::make_shared<GuestRegion>(GuestPhysicalAddress{0}, 4 * kHugePage, 0, std::move(*ram), 0,
                                      FileBacking{std::move(backing), 0, kHugePage});

    const uint64_t before = mappings_of_ram();
    {
        auto mapping = stitch({piece(region, 3 * kHugePage, kHugePage),
                               piece(region, kHugePage, kHugePage), piece(region, 0, kPage)});
        ASSERT_TRUE(mapping.has_value()) << reason_;
        EXPECT_EQ(mapping->mappings(), 3U);
        EXPECT_EQ(number_at(mapping->data()), 3U);
        EXPECT_EQ(number_at(mapping->data() + kHugePage), 1U);
        EXPECT_EQ(number_at(mapping->data() + 2 * kHugePage), 0U);
    }
    EXPECT_EQ(mappings_of_ram(), before);
    EXPECT_EQ(error_of({page(region, 1), page(region, 700)}), EOPNOTSUPP);
}

TEST_F(StitchedMappingTest, ManyThousandScatteredPagesBecomeContiguous) {
    constexpr uint64_t kPages = 32768;
    const auto big = make_guest_ram({.size = kPages * kPage});
    std::vector<PinnedRange> pieces;
    for (uint64_t number = kPages; number-- > 0;) {
        pieces.push_back(page(big, number));
    }
    auto mapping = stitch(pieces);
    ASSERT_TRUE(mapping.has_value()) << reason_;
    EXPECT_EQ(mapping->mappings(), kPages);
    for (uint64_t i = 0; i < kPages; ++i) {
        ASSERT_EQ(number_at(mapping->data() + i * kPage), kPages - 1 - i);
    }
}

// Stitching uses address space that others could take at the same moment.
TEST_F(StitchedMappingTest, MappingsOfOtherThreadsAreNeverReplaced) {
    std::atomic<bool> over{false};
    std::atomic<uint64_t> replaced{0};
    const std::jthread other([&] {
        while (!over) {
            void* const mapped = ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
            if (mapped == MAP_FAILED) {
                continue;
            }
            auto* const words = static_cast<volatile uint64_t*>(mapped);
            const size_t last = 3 * kPage / sizeof(uint64_t) - 1;
            words[0] = 0x1122334455667788;
            words[last] = 0x1122334455667788;
            std::this_thread::yield();
            if (words[0] != 0x1122334455667788 || words[last] != 0x1122334455667788) {
                ++replaced;
            }
            ::munmap(mapped, 3 * kPage);
        }
    });
    for (int i = 0; i < 2000; ++i) {
        auto mapping = stitch({page(ram_, 7), page(ram_, 2), page(ram_, 15), page(ram_, 0)});
        if (!mapping || number_at(mapping->data()) != 7 ||
            number_at(mapping->data() + 3 * kPage) != 0) {
            over = true;
            FAIL() << reason_;
        }
    }
    over = true;
    EXPECT_EQ(replaced, 0U);
}

// A file that stands for the sysctl vm.max_map_count.
class MappingBudgetTest : public testing::Test {
  protected:
    MappingBudgetTest() {
        char pattern[] = "/tmp/vrdma-budget-test-XXXXXX";
        const FileDescriptor file(::mkstemp(pattern));
        sysctl_ = pattern;
        set_limit(800);
    }
    ~MappingBudgetTest() override { std::filesystem::remove(sysctl_); }

    void set_limit(uint64_t limit) { std::ofstream(sysctl_) << limit << "\n"; }

    std::filesystem::path sysctl_;
    std::string reason_;
};

TEST_F(MappingBudgetTest, KeepsAnEighthOfTheLimitFree) {
    MappingBudget budget(sysctl_);
    EXPECT_FALSE(budget.take(701, reason_).has_value());
    EXPECT_TRUE(budget.take(700, reason_).has_value());
}

TEST_F(MappingBudgetTest, SharesComeBackAtTheEndOfTheirLives) {
    MappingBudget budget(sysctl_);
    {
        auto share = budget.take(600, reason_);
        ASSERT_TRUE(share.has_value());
        EXPECT_EQ(budget.take(101, reason_).error(), Errno{ENOMEM});
        const MappingBudget::Share moved = std::move(*share);
    }
    EXPECT_TRUE(budget.take(700, reason_).has_value());
}

TEST_F(MappingBudgetTest, TheReasonNamesTheSysctlItsValueAndOneThatWouldDo) {
    MappingBudget budget(sysctl_);
    EXPECT_FALSE(budget.take(7000, reason_).has_value());
    EXPECT_THAT(reason_, HasSubstr("7000 memory mappings are needed"));
    EXPECT_THAT(reason_, HasSubstr("vm.max_map_count, which is 800"));
    EXPECT_THAT(reason_, HasSubstr("set sysctl vm.max_map_count=8001 or more"));
    set_limit(8001);
    EXPECT_TRUE(budget.take(7000, reason_).has_value()) << reason_;
}

TEST_F(MappingBudgetTest, AStitchingBeyondItFailsBeforeItMapsAnything) {
    MappingBudget budget(sysctl_);
    const auto ram = make_guest_ram({.size = 800 * kPage});
    std::vector<PinnedRange> pieces;
    for (uint64_t number = 0; number < 800; number += 2) {
        pieces.push_back(page(ram, number));
    }
    set_limit(100);
    const uint64_t before = mappings_of_ram();
    EXPECT_EQ(StitchedMapping::make(pieces, 0, budget, reason_).error(), Errno{ENOMEM});
    EXPECT_THAT(reason_, HasSubstr("vm.max_map_count"));
    EXPECT_EQ(mappings_of_ram(), before);
}

}  // namespace
}  // namespace vrdma::memory
