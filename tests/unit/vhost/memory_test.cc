// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The guest's memory as the VMM describes it, and as it changes under running rings.
#include <gtest/gtest.h>
#include <unistd.h>

#include "ring_kind.h"
#include "support/socket_io.h"
#include "test_server.h"

namespace vrdma::test {
namespace {

using vhost::Request;

constexpr uint64_t kHotplug = uint64_t{4} << 30;
constexpr uint64_t kMegabyte = 1 << 20;

class MemoryTest : public ServerTest {
  protected:
    MemoryTest() { vmm_.negotiate(kSplitEventIdx.features); }

    void expect_echo(DriverQueue& queue) {
        const std::vector<std::byte> request(64, std::byte{5});
        EXPECT_EQ(queue.transact(request, 64), request);
    }

    // Sends ADD_MEM_REG as described, with the file of the first region.
    bool add(const vhost::VuMemoryRegion& region) {
        const vhost::VuSingleRegion message{0, region};
        const int fd = memory_.regions()[0]->file.get();
        return vmm_.acknowledged(Request::kAddMemReg, std::as_bytes(std::span(&message, 1)),
                                 std::span(&fd, 1));
    }

    FakeMemory memory_;
    FakeVmm vmm_{server_.path()};
};

TEST_F(MemoryTest, TheTableReachesTheDevice) {
    memory_.add_region(kHotplug, kMegabyte);
    ASSERT_TRUE(vmm_.share(memory_));
    const auto memory = device_.state().memory;
    ASSERT_EQ(memory->regions().size(), 2u);
    memory_.host(kHotplug)[100] = std::byte{42};
    auto range = memory->translate(memory::GuestPhysicalAddress{kHotplug + 100}, 1);
    ASSERT_TRUE(range);
    EXPECT_EQ(*range->data, std::byte{42});
}

TEST_F(MemoryTest, ARegionMayBeginAnywhereInItsFile) {
    for (const uint64_t offset : {uint64_t{4096}, kMegabyte, uint64_t{100}}) {
        FakeMemory memory(0);
        auto& region = memory.add_region(kHotplug, kMegabyte, offset);
        region.data()[7] = std::byte{9};
        ASSERT_TRUE(vmm_.share(memory)) << offset;
        auto range =
            device_.state().memory->translate(memory::GuestPhysicalAddress{kHotplug + 7}, 1);
        ASSERT_TRUE(range);
        EXPECT_EQ(*range->data, std::byte{9});
    }
}

TEST_F(MemoryTest, ANewTableReplacesTheOldOne) {
    ASSERT_TRUE(vmm_.share(memory_));
    FakeMemory other(kMegabyte, kHotplug);
    ASSERT_TRUE(vmm_.share(other));
    ASSERT_EQ(device_.state().memory->regions().size(), 1u);
    EXPECT_EQ(device_.state().memory->regions()[0]->start().value, kHotplug);
}

TEST_F(MemoryTest, AnEmptyTableLeavesNone) {
    ASSERT_TRUE(vmm_.share(memory_));
    ASSERT_TRUE(vmm_.share(FakeMemory(0)));
    EXPECT_TRUE(device_.state().memory->regions().empty());
}

TEST_F(MemoryTest, ARefusedTableLeavesTheOldOne) {
    ASSERT_TRUE(vmm_.share(memory_));
    FakeMemory bad(kMegabyte, kHotplug);
    bad.regions()[0]->size *= 2;
    EXPECT_FALSE(vmm_.share(bad));
    EXPECT_EQ(server_.log().count("ends beyond its file"), 1u);
    ASSERT_EQ(device_.state().memory->regions().size(), 1u);
    EXPECT_NE(device_.state().memory->regions()[0]->start().value, kHotplug);
}

TEST_F(MemoryTest, RegionsThatOverlapAreRefused) {
    ASSERT_TRUE(vmm_.share(memory_));
    EXPECT_FALSE(vmm_.add_region(*memory_.regions()[0]));
    EXPECT_EQ(server_.log().count("overlaps"), 1u);
}

TEST_F(MemoryTest, ANewSessionOnTheSameConnectionBeginsWithoutMemory) {
    ASSERT_TRUE(vmm_.share(memory_));
    ASSERT_TRUE(vmm_.acknowledged(Request::kSetOwner));
    EXPECT_EQ(device_.state().resets, 1u);
    EXPECT_TRUE(vmm_.add_region(*memory_.regions()[0]));
}

TEST_F(MemoryTest, RegionsThatWrapAroundAreRefused) {
    EXPECT_FALSE(add({UINT64_MAX - 4095, 8192, 0, 0}));
    EXPECT_FALSE(add({0, 8192, UINT64_MAX - 4095, 0}));
    EXPECT_FALSE(add({0, 8192, 0, UINT64_MAX - 4095}));
    EXPECT_FALSE(add({0, 0, 0, 0}));
    EXPECT_FALSE(add({0, UINT64_MAX, 0, 0}));
    EXPECT_EQ(device_.state().memory_changes, 0u);
}

TEST_F(MemoryTest, ARegionOfSomethingElseThanAFileIsRefused) {
    int pipe_fds[2];
    ASSERT_EQ(::pipe(pipe_fds), 0);
    const FileDescriptor reader(pipe_fds[0]);
    const FileDescriptor writer(pipe_fds[1]);
    const vhost::VuSingleRegion message{0, {0, 4096, 0, 0}};
    vmm_.send(Request::kAddMemReg, std::as_bytes(std::span(&message, 1)), std::span(pipe_fds, 1));
    vmm_.wait_disconnected();
    EXPECT_EQ(server_.log().count("other than tmpfs or hugetlbfs"), 1u);
}

TEST_F(MemoryTest, MemoryIsPluggedInAndOutUnderARunningRing) {
    ASSERT_TRUE(vmm_.share(memory_));
    auto queue = DriverQueue::create(memory_, 16, kSplitEventIdx.features);
    vmm_.start_queue(0, *queue);
    expect_echo(*queue);

    auto& plugged = memory_.add_region(kHotplug, kMegabyte);
    ASSERT_TRUE(vmm_.add_region(plugged));
    std::fill_n(plugged.data(), 100, std::byte{3});
    const uint64_t in = memory_.allocate(100);
    queue->add({Buffer{kHotplug, 100}, Buffer{in, 100, true}});
    queue->publish();
    EXPECT_EQ(queue->wait_used().written, 100u);
    EXPECT_EQ(memory_.load(in, 100), std::vector<std::byte>(100, std::byte{3}));

    ASSERT_TRUE(vmm_.remove_region(plugged));
    EXPECT_EQ(device_.state().memory->regions().size(), 1u);
    expect_echo(*queue);
    queue->add({Buffer{kHotplug, 100}});
    queue->publish();
    wait_readable(queue->error_fd(), "the ring error");
}

TEST_F(MemoryTest, ARingIsFoundAgainInANewTable) {
    ASSERT_TRUE(vmm_.share(memory_));
    auto queue = DriverQueue::create(memory_, 16, kSplitEventIdx.features);
    vmm_.start_queue(0, *queue);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(vmm_.share(memory_));
        expect_echo(*queue);
    }
}

TEST_F(MemoryTest, ARingWhoseMemoryIsUnpluggedStops) {
    auto& plugged = memory_.add_region(kHotplug, kMegabyte);
    ASSERT_TRUE(vmm_.share(memory_));
    auto queue = DriverQueue::create(memory_, 16, kSplitEventIdx.features);
    vmm_.start_queue(0, *queue);
    ASSERT_TRUE(vmm_.remove_region(*memory_.regions()[0]));
    EXPECT_TRUE(queue->error_signalled());
    EXPECT_FALSE(device_.state().running[0]);
    EXPECT_EQ(server_.log().count("queue 0 stopped"), 1u);
    ASSERT_TRUE(vmm_.remove_region(plugged));
    EXPECT_EQ(vmm_.stop_queue(0), 0u);
}

TEST_F(MemoryTest, RemovingWhatIsNotThereIsRefused) {
    ASSERT_TRUE(vmm_.share(memory_));
    FakeMemory other(kMegabyte, kHotplug);
    EXPECT_FALSE(vmm_.remove_region(*other.regions()[0]));
    EXPECT_EQ(device_.state().memory->regions().size(), 1u);
}

TEST_F(MemoryTest, RemovingWithADescriptorWorksToo) {
    ASSERT_TRUE(vmm_.share(memory_));
    const auto& region = *memory_.regions()[0];
    const vhost::VuSingleRegion message{0, region.describe()};
    const int fd = region.file.get();
    EXPECT_TRUE(vmm_.acknowledged(Request::kRemMemReg, std::as_bytes(std::span(&message, 1)),
                                  std::span(&fd, 1)));
    EXPECT_TRUE(device_.state().memory->regions().empty());
}

// A guest that registers a page of each region keeps it mapped, and mappings of this process are
// limited (vm.max_map_count).
TEST_F(MemoryTest, RegionsThatWereTakenBackCountForAsLongAsTheyAreUsed) {
    const uint64_t slots = vmm_.ask_u64(Request::kGetMaxMemSlots);
    std::vector<std::shared_ptr<const memory::GuestMemory>> used;
    const vhost::VuSingleRegion region{0, {0, 4096, 0, 0}};
    const auto remove = [&] {
        return vmm_.acknowledged(Request::kRemMemReg, std::as_bytes(std::span(&region, 1)));
    };
    for (uint64_t i = 0; i < 2 * slots; ++i) {
        ASSERT_TRUE(add(region.region)) << i;
        used.push_back(device_.state().memory);
        ASSERT_TRUE(remove()) << i;
    }
    EXPECT_FALSE(add(region.region));
    EXPECT_EQ(server_.log().count("limit reached"), 1u);
    used.clear();
    EXPECT_TRUE(add(region.region));
}

TEST_F(MemoryTest, TheSlotsThatAreAnnouncedCanBeUsed) {
    const uint64_t slots = vmm_.ask_u64(Request::kGetMaxMemSlots);
    for (uint64_t i = 0; i < slots; ++i) {
        ASSERT_TRUE(add({i * 8192, 4096, i * 8192, i % 16 * 4096})) << i;
    }
    EXPECT_FALSE(add({slots * 8192, 4096, slots * 8192, 0}));
    EXPECT_EQ(device_.state().memory->regions().size(), slots);
}

}  // namespace
}  // namespace vrdma::test
