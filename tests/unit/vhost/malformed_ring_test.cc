// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Contents that a hostile driver can give a ring.  Each stops that ring, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "memory/guest_access.h"
#include "ring_kind.h"
#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/packed_driver_queue.h"
#include "support/signaller.h"
#include "support/split_driver_queue.h"
#include "vhost/rings/virtqueue.h"

namespace vrdma::test {
namespace {

using vhost::Virtqueue;

constexpr uint16_t kRingSize = 4;
constexpr uint16_t kNext = VRING_DESC_F_NEXT;
constexpr uint16_t kWrite = VRING_DESC_F_WRITE;
constexpr uint16_t kIndirect = VRING_DESC_F_INDIRECT;

class MalformedRingTest : public testing::TestWithParam<RingKind> {
  protected:
    MalformedRingTest() { set_up(GetParam().features); }

    void set_up(uint64_t features) {
        driver_ = DriverQueue::create(memory_, kRingSize, features);
        queue_.set_error(FileDescriptor(::dup(driver_->error_fd())));
        queue_.set_call(FileDescriptor(::dup(driver_->call_fd())));
        ASSERT_TRUE(
            queue_.set_up(driver_->layout(), driver_->initial_base(), memory_.as_guest_memory()));
        ASSERT_TRUE(healthy_queue_.set_up(
            healthy_driver_->layout(), healthy_driver_->initial_base(), memory_.as_guest_memory()));
    }

    bool packed() const { return GetParam().packed(); }

    SplitDriverQueue& split_driver() { return dynamic_cast<SplitDriverQueue&>(*driver_); }
    PackedDriverQueue& packed_driver() { return dynamic_cast<PackedDriverQueue&>(*driver_); }

    // The descriptor of an indirect table with `descriptors` in it.
    RawDescriptor indirect(std::vector<RawDescriptor> descriptors) {
        const auto bytes = DriverQueue::table(descriptors, packed());
        return {memory_.store(bytes), static_cast<uint32_t>(bytes.size()), kIndirect, 0};
    }

    void expect_refused(std::vector<RawDescriptor> descriptors, const char* why) {
        driver_->forge(descriptors);
        expect_failure(why);
    }

    void expect_failure(const char* why) {
        EXPECT_EQ(queue_.pop().error(), Errno{EPROTO});
        EXPECT_THAT(queue_.failure(), testing::HasSubstr(why));
        EXPECT_TRUE(driver_->error_signalled());
        // The failure is logged once, so that a guest cannot fill the log.
        EXPECT_EQ(queue_.pop().error(), Errno{EPROTO});
        EXPECT_FALSE(driver_->error_signalled());
        EXPECT_EQ(log_.count("stopped"), 1u);
        // Nothing in the ring is touched any more.
        EXPECT_FALSE(queue_.enable_notifications());
        EXPECT_FALSE(queue_.notify());

        healthy_driver_->add({Buffer{address_, 16}});
        auto chain = healthy_queue_.pop();
        ASSERT_TRUE(chain && *chain);
        healthy_queue_.push(std::move(**chain), 0);
        EXPECT_TRUE(healthy_driver_->take_used());
    }

    CapturedLog log_;
    FakeMemory memory_;
    const uint64_t end_ = memory_.regions()[0]->start + memory_.regions()[0]->size;
    const uint64_t address_ = memory_.allocate(4096);
    std::unique_ptr<DriverQueue> driver_;
    Virtqueue queue_{0, test::signaller(), log_.logger()};
    std::unique_ptr<DriverQueue> healthy_driver_ =
        DriverQueue::create(memory_, kRingSize, GetParam().features);
    Virtqueue healthy_queue_{1, test::signaller(), log_.logger()};
};

INSTANTIATE_TEST_SUITE_P(Rings, MalformedRingTest, testing::Values(kSplit, kPacked),
                         ring_kind_name);

class MalformedSplitRingTest : public MalformedRingTest {};
INSTANTIATE_TEST_SUITE_P(Rings, MalformedSplitRingTest, testing::Values(kSplit), ring_kind_name);

class MalformedPackedRingTest : public MalformedRingTest {};
INSTANTIATE_TEST_SUITE_P(Rings, MalformedPackedRingTest, testing::Values(kPacked), ring_kind_name);

TEST_P(MalformedRingTest, ABufferOfLengthZero) {
    expect_refused({{address_, 0}}, "length zero");
}

TEST_P(MalformedRingTest, ABufferOfLengthZeroLaterInAChain) {
    expect_refused({{address_, 16, kNext, 1}, {address_, 0, kWrite}}, "length zero");
}

TEST_P(MalformedRingTest, ABufferOutsideMemory) {
    expect_refused({{end_ + 4096, 16}}, "not in the guest's memory");
}

TEST_P(MalformedRingTest, ABufferThatEndsOutsideMemory) {
    expect_refused({{end_ - 8, 16}}, "not in the guest's memory");
}

TEST_P(MalformedRingTest, ABufferThatBeginsBeforeMemory) {
    expect_refused({{memory_.regions()[0]->start - 8, 16}}, "not in the guest's memory");
}

TEST_P(MalformedRingTest, ABufferThatWrapsAroundTheAddressSpace) {
    expect_refused({{UINT64_MAX - 7, 16}}, "wraps around");
}

TEST_P(MalformedRingTest, AReadableBufferAfterAWritableOne) {
    expect_refused({{address_, 16, kNext | kWrite, 1}, {address_, 16}}, "follows a writable");
}

TEST_P(MalformedRingTest, AChainOfMoreThanFourGigabytes) {
    FakeMemory large(uint64_t{3} << 30, 1 << 30);
    auto driver = DriverQueue::create(large, kRingSize, GetParam().features);
    ASSERT_TRUE(queue_.set_up(driver->layout(), driver->initial_base(), large.as_guest_memory()));
    driver->forge(
        std::vector<RawDescriptor>{{1 << 30, 0x80000000, kNext, 1}, {1 << 30, 0x80000000, 0}});
    EXPECT_EQ(queue_.pop().error(), Errno{EPROTO});
    EXPECT_THAT(queue_.failure(), testing::HasSubstr("2^32"));
}

TEST_P(MalformedRingTest, AnIndirectTableInAnIndirectTable) {
    auto inner = indirect({{address_, 16}});
    expect_refused({indirect({inner})}, "in an indirect table");
}

TEST_P(MalformedRingTest, AnIndirectTableOfLengthZero) {
    expect_refused({{address_, 0, kIndirect}}, "multiple");
}

TEST_P(MalformedRingTest, AnIndirectTableWithHalfADescriptor) {
    auto table = indirect({{address_, 16}, {address_, 16}});
    table.length -= 8;
    expect_refused({table}, "multiple");
}

TEST_P(MalformedRingTest, AnIndirectTableLongerThanTheRing) {
    expect_refused({{address_, 16 * (kRingSize + 1), kIndirect}}, "longer than the queue");
}

TEST_P(MalformedRingTest, AnIndirectTableOfNearlyFourGigabytes) {
    expect_refused({{address_, 0xfffffff0, kIndirect}}, "longer than the queue");
}

TEST_P(MalformedRingTest, AnIndirectTableOutsideMemory) {
    expect_refused({{end_ - 8, 16, kIndirect}}, "table is not in the guest's memory");
}

TEST_P(MalformedRingTest, AnIndirectTableThatWrapsAroundTheAddressSpace) {
    expect_refused({{UINT64_MAX - 7, 16, kIndirect}}, "table is not in the guest's memory");
}

TEST_P(MalformedRingTest, AnIndirectDescriptorWithASuccessor) {
    auto table = indirect({{address_, 16}});
    table.flags |= kNext;
    table.next = 1;
    expect_refused({table, {address_, 16}}, packed() ? "part of a list" : "followed by another");
}

TEST_P(MalformedRingTest, AnIndirectDescriptorThatWasNotNegotiated) {
    set_up(GetParam().features & ~vhost::bit(VIRTIO_RING_F_INDIRECT_DESC));
    expect_refused({indirect({{address_, 16}})}, "not negotiated");
}

TEST_P(MalformedRingTest, ABadBufferInAnIndirectTable) {
    expect_refused({indirect({{address_, 16, kNext, 1}, {end_, 16}})}, "not in the guest's memory");
}

TEST_P(MalformedSplitRingTest, AHeadOutOfRange) {
    split_driver().make_available(kRingSize);
    expect_failure("out of range");
}

TEST_P(MalformedSplitRingTest, ANextIndexOutOfRange) {
    expect_refused({{address_, 16, kNext, kRingSize}}, "out of range");
}

TEST_P(MalformedSplitRingTest, ADescriptorThatFollowsItself) {
    expect_refused({{address_, 16, kNext, 0}}, "loops");
}

TEST_P(MalformedSplitRingTest, ALoopOfDescriptors) {
    expect_refused({{address_, 16, kNext, 1}, {address_, 16, kNext, 2}, {address_, 16, kNext, 0}},
                   "loops");
}

TEST_P(MalformedSplitRingTest, ALoopInAnIndirectTable) {
    expect_refused({indirect({{address_, 16, kNext, 1}, {address_, 16, kNext, 0}})}, "loops");
}

TEST_P(MalformedSplitRingTest, ANextIndexOutsideItsIndirectTable) {
    expect_refused({indirect({{address_, 16, kNext, 2}, {address_, 16}})}, "outside its indirect");
}

TEST_P(MalformedSplitRingTest, AnAvailableIndexAheadByMoreThanTheRing) {
    split_driver().make_available(0, kRingSize + 1);
    expect_failure("ahead by more");
}

TEST_P(MalformedSplitRingTest, AnAvailableIndexThatGoesBack) {
    split_driver().make_available(0, UINT16_MAX);
    expect_failure("ahead by more");
}

TEST_P(MalformedSplitRingTest, MoreChainsThanTheRingHasBeforeAnyIsGivenBack) {
    std::vector<vhost::DescriptorChain> chains;
    driver_->forge(std::vector<RawDescriptor>{{address_, 16}});
    for (uint16_t i = 0; i < kRingSize; ++i) {
        auto chain = queue_.pop();
        ASSERT_TRUE(chain && *chain);
        chains.push_back(std::move(**chain));
        split_driver().make_available(0);
    }
    expect_failure("more descriptors are available than the ring has");
    for (auto& chain : chains) {
        queue_.push(std::move(chain), 0);
    }
}

TEST_P(MalformedPackedRingTest, AChainWithoutAnEnd) {
    const RawDescriptor next{address_, 16, kNext};
    expect_refused({next, next, next, next}, "not available");
}

TEST_P(MalformedPackedRingTest, AChainWhoseSecondDescriptorIsNotAvailable) {
    expect_refused({{address_, 16, kNext}}, "not available");
}

TEST_P(MalformedPackedRingTest, AChainWhoseSecondDescriptorIsUsedAlready) {
    packed_driver().descriptors()[1] = {address_, 16, 0, 0x8080};
    expect_refused({{address_, 16, kNext}}, "not available");
}

TEST_P(MalformedPackedRingTest, AnIndirectDescriptorWithinAList) {
    expect_refused({{address_, 16, kNext}, indirect({{address_, 16}})}, "part of a list");
}

TEST_P(MalformedPackedRingTest, FlagsOfTheWrongRoundAreNotAvailable) {
    memory::store(&packed_driver().descriptors()[0].flags,
                  PackedDriverQueue::available_flags(false), std::memory_order_release);
    auto chain = queue_.pop();
    ASSERT_TRUE(chain);
    EXPECT_FALSE(*chain);
}

TEST_P(MalformedPackedRingTest, MoreChainsThanTheRingHasBeforeAnyIsGivenBack) {
    std::vector<vhost::DescriptorChain> chains;
    driver_->forge(std::vector<RawDescriptor>(kRingSize, RawDescriptor{address_, 16}));
    for (uint16_t i = 0; i < kRingSize; ++i) {
        auto chain = queue_.pop();
        ASSERT_TRUE(chain && *chain);
        chains.push_back(std::move(**chain));
    }
    memory::store(&packed_driver().descriptors()[0].flags,
                  PackedDriverQueue::available_flags(false), std::memory_order_release);
    expect_failure("more descriptors are available than the ring has");
    for (auto& chain : chains) {
        queue_.push(std::move(chain), 0);
    }
}

TEST_P(MalformedRingTest, AFailedRingWorksAgainWhenItIsSetUpAnew) {
    expect_refused({{address_, 0}}, "length zero");
    queue_.tear_down();
    set_up(GetParam().features);
    driver_->add({Buffer{address_, 16}});
    auto chain = queue_.pop();
    ASSERT_TRUE(chain && *chain);
    queue_.push(std::move(**chain), 0);
    EXPECT_TRUE(driver_->take_used());
    EXPECT_EQ(queue_.failure(), "");
}

}  // namespace
}  // namespace vrdma::test
