// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guest memory whose pages are not there when they are touched.
#include "memory/watched_range.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "helper_thread.h"
#include "memory/guest_access.h"
#include "memory/guest_memory.h"
#include "support/guest_ram.h"

namespace vrdma::memory {
namespace {

using test::kRamPage;

constexpr uint64_t kMegabyte = 1 << 20;

bool readable(int fd) {
    pollfd polled{fd, POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
}

// A file of guest RAM that its VMM can do anything to, mapped as a region.
class Ram {
  public:
    Ram(FileDescriptor file, uint64_t size, uint64_t page_size,
        const std::shared_ptr<FaultReport>& faults)
        : file_(std::move(file)) {
        EXPECT_EQ(::ftruncate(file_.get(), static_cast<off_t>(size)), 0);
        auto mapping = Mapping::map(file_.get(), 0, size);
        EXPECT_TRUE(mapping);
        region_ = std::make_shared<const GuestRegion>(
            GuestPhysicalAddress{0}, size, 0, std::move(*mapping), 0,
            FileBacking{FileDescriptor(::dup(file_.get())), 0, page_size, file_label("ram")},
            faults);
    }

    void shrink(uint64_t size) const {
        ASSERT_EQ(::ftruncate(file_.get(), static_cast<off_t>(size)), 0);
    }
    // Single accesses, which the compiler leaves as they are.
    std::byte read(uint64_t offset) const { return copy_from_guest<std::byte>(data() + offset); }
    void write(uint64_t offset, std::byte value) const {
        store(data() + offset, value, std::memory_order_relaxed);
    }
    std::byte* data() const { return region_->data(); }
    const std::shared_ptr<const GuestRegion>& region() const { return region_; }

  private:
    FileDescriptor file_;
    std::shared_ptr<const GuestRegion> region_;
};

Ram memfd_ram(uint64_t size, const std::shared_ptr<FaultReport>& faults) {
    return {FileDescriptor(::memfd_create("ram", MFD_CLOEXEC)), size, kRamPage, faults};
}

size_t mappings_of_this_process() {
    std::ifstream maps("/proc/self/maps");
    return static_cast<size_t>(
        std::count(std::istreambuf_iterator<char>(maps), std::istreambuf_iterator<char>(), '\n'));
}

class WatchedRangeTest : public testing::Test {
  protected:
    std::shared_ptr<FaultReport> faults_ = std::make_shared<FaultReport>();
};

TEST_F(WatchedRangeTest, APageThatTheVmmTookAwayIsZerosAndReported) {
    const Ram ram = memfd_ram(4 * kMegabyte, faults_);
    ram.write(3 * kMegabyte + 5, std::byte{7});
    EXPECT_FALSE(faults_->first());
    EXPECT_FALSE(readable(faults_->fd()));
    ram.shrink(kMegabyte);
    EXPECT_EQ(ram.read(3 * kMegabyte + 5), std::byte{0});
    ram.write(3 * kMegabyte + 6, std::byte{8});
    EXPECT_EQ(ram.read(3 * kMegabyte + 6), std::byte{8});
    ASSERT_TRUE(readable(faults_->fd()));
    const auto fault = faults_->first();
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->file_offset, 3 * kMegabyte + 5);
    EXPECT_EQ(fault->address, ram.data() + 3 * kMegabyte + 5);
    EXPECT_EQ(fault->file, "ram");
    EXPECT_FALSE(fault->hardware);
}

TEST_F(WatchedRangeTest, TheMemoryOfOtherMachinesIsUntouched) {
    const auto others_faults = std::make_shared<FaultReport>();
    const Ram before = memfd_ram(kMegabyte, others_faults);
    const Ram ram = memfd_ram(kMegabyte, faults_);
    const Ram after = memfd_ram(kMegabyte, others_faults);
    for (const Ram* other : {&before, &after}) {
        std::fill_n(other->data(), kMegabyte, std::byte{5});
    }
    ram.shrink(0);
    EXPECT_EQ(ram.read(0), std::byte{0});
    EXPECT_EQ(ram.read(kMegabyte - 1), std::byte{0});
    for (const Ram* other : {&before, &after}) {
        EXPECT_EQ(std::count(other->data(), other->data() + kMegabyte, std::byte{5}), kMegabyte);
    }
    EXPECT_FALSE(others_faults->first());
}

// The kernel has no thread to interrupt: it says EFAULT.
TEST_F(WatchedRangeTest, TheKernelsAccessToSuchAPageIsEfault) {
    const Ram ram = memfd_ram(kMegabyte, faults_);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const FileDescriptor reader(ends[0]);
    const FileDescriptor writer(ends[1]);
    ASSERT_EQ(::write(writer.get(), "x", 1), 1);
    ram.shrink(0);
    EXPECT_EQ(::read(reader.get(), ram.data(), 1), -1);
    EXPECT_EQ(errno, EFAULT);
    EXPECT_EQ(::write(writer.get(), ram.data(), 1), -1);
    EXPECT_EQ(errno, EFAULT);
}

TEST_F(WatchedRangeTest, AThreadThatLeavesSignalsToOthersMayFault) {
    const Ram ram = memfd_ram(kMegabyte, faults_);
    ram.shrink(0);
    std::thread thread([&] {
        begin_helper_thread("test");
        ram.write(kRamPage, std::byte{1});
    });
    thread.join();
    EXPECT_EQ(faults_->first().value().file_offset, kRamPage);
}

TEST_F(WatchedRangeTest, ManyThreadsMayFaultWhileRangesComeAndGo) {
    const Ram ram = memfd_ram(64 * kMegabyte, faults_);
    ram.shrink(0);
    std::vector<std::thread> threads;
    for (uint64_t i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (uint64_t offset = i * kRamPage; offset < 64 * kMegabyte; offset += kMegabyte) {
                ram.write(offset, std::byte{1});
            }
        });
    }
    // More than one block of the table.
    for (int round = 0; round < 4; ++round) {
        constexpr size_t kRams = 300;
        std::vector<Ram> others;
        others.reserve(kRams);
        while (others.size() < kRams) {
            others.push_back(memfd_ram(kRamPage, faults_));
        }
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_TRUE(faults_->first());
}

// vm.max_map_count bounds the mappings of the process, and a fault splits one in three.
TEST_F(WatchedRangeTest, AnyNumberOfFaultsCostsFewMappings) {
    constexpr uint64_t kStride = 4 * kMegabyte;
    constexpr uint64_t kFaults = 2000;
    const Ram ram = memfd_ram(kStride * kFaults, faults_);
    ram.shrink(0);
    const size_t before = mappings_of_this_process();
    for (uint64_t i = 0; i < kFaults; ++i) {
        EXPECT_EQ(ram.read(i * kStride), std::byte{0});
    }
    EXPECT_LT(mappings_of_this_process(), before + 600);
}

// A sparse file of an honest VMM, on a file system that has become full.
TEST_F(WatchedRangeTest, APageForWhichATmpfsHasNoRoomIsReported) {
    const FileDescriptor context(
        static_cast<int>(::syscall(SYS_fsopen, "tmpfs", 1 /* FSOPEN_CLOEXEC */)));
    constexpr unsigned kSetString = 1;  // FSCONFIG_SET_STRING
    constexpr unsigned kCreate = 6;     // FSCONFIG_CMD_CREATE
    if (!context || ::syscall(SYS_fsconfig, context.get(), kSetString, "size", "1m", 0) != 0 ||
        ::syscall(SYS_fsconfig, context.get(), kCreate, nullptr, nullptr, 0) != 0) {
        GTEST_SKIP() << "no tmpfs can be made here: " << std::strerror(errno);
    }
    const FileDescriptor mount(
        static_cast<int>(::syscall(SYS_fsmount, context.get(), 1 /* FSMOUNT_CLOEXEC */, 0)));
    ASSERT_TRUE(mount.valid());
    const Ram ram(FileDescriptor(::openat(mount.get(), "ram", O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
                  8 * kMegabyte, kRamPage, faults_);
    for (uint64_t offset = 0; offset < 8 * kMegabyte; offset += kRamPage) {
        ram.write(offset, std::byte{1});
    }
    const auto fault = faults_->first();
    ASSERT_TRUE(fault);
    EXPECT_GE(fault->file_offset, kMegabyte / 2);
    EXPECT_LE(fault->file_offset, kMegabyte);
}

TEST_F(WatchedRangeTest, AHugePageThatIsNotLeftIsReported) {
    constexpr uint64_t kHugePage = 2 * kMegabyte;
    FileDescriptor file(::memfd_create("ram", MFD_CLOEXEC | MFD_HUGETLB | MFD_HUGE_2MB));
    uint64_t free_pages = 0;
    std::ifstream("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") >> free_pages;
    if (!file || free_pages != 0) {
        GTEST_SKIP() << free_pages << " huge pages are free: " << std::strerror(errno);
    }
    const Ram ram(std::move(file), 4 * kHugePage, kHugePage, faults_);
    ram.write(2 * kHugePage + 100, std::byte{1});
    EXPECT_EQ(ram.read(2 * kHugePage + 100), std::byte{1});
    EXPECT_EQ(faults_->first().value().file_offset, 2 * kHugePage + 100);
}

using WatchedRangeDeathTest = WatchedRangeTest;

TEST_F(WatchedRangeDeathTest, AFaultElsewhereEndsTheProcessAsBefore) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const Ram watched = memfd_ram(kMegabyte, faults_);
    const FileDescriptor file(::memfd_create("other", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kRamPage), 0);
    const auto mapping = Mapping::map(file.get(), 0, kRamPage);
    ASSERT_TRUE(mapping);
    EXPECT_EXIT(
        {
            [[maybe_unused]] const int result = ::ftruncate(file.get(), 0);
            *mapping->data() = std::byte{1};
        },
        testing::KilledBySignal(SIGBUS), "");
    EXPECT_EXIT(::raise(SIGBUS), testing::KilledBySignal(SIGBUS), "");
}

TEST_F(WatchedRangeDeathTest, AFaultInARangeThatIsNoLongerWatchedEndsTheProcess) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const FileDescriptor file(::memfd_create("ram", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(file.get(), kRamPage), 0);
    const auto mapping = Mapping::map(file.get(), 0, kRamPage);
    ASSERT_TRUE(mapping);
    WatchedRange range({.begin = mapping->data(), .size = kRamPage, .page_size = kRamPage},
                       WatchedRange::Accesses::kOwn, file_label("ram"), faults_);
    range = WatchedRange();
    EXPECT_EXIT(
        {
            [[maybe_unused]] const int result = ::ftruncate(file.get(), 0);
            *mapping->data() = std::byte{1};
        },
        testing::KilledBySignal(SIGBUS), "");
}

TEST(FileLabelTest, ALabelHasNoLineEndAndAnEnd) {
    EXPECT_STREQ(file_label("/memfd:a\nb").data(), "/memfd:a?b");
    EXPECT_EQ(std::string(file_label(std::string(1000, 'x')).data()).size(),
              FileLabel().size() - 1);
}

}  // namespace
}  // namespace vrdma::memory
