// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The device's side of a ring against the driver's, both kinds alike, without a socket.
#include "vhost/rings/virtqueue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "ring_kind.h"
#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/signaller.h"

namespace vrdma::test {
namespace {

using vhost::DescriptorChain;
using vhost::Virtqueue;

constexpr uint16_t kSize = 8;

std::vector<std::byte> pattern(size_t size, unsigned seed = 1) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::byte>(i * 7 + seed);
    }
    return bytes;
}

class VirtqueueTest : public testing::TestWithParam<RingKind> {
  protected:
    VirtqueueTest() {
        queue_.set_call(FileDescriptor(::dup(driver_->call_fd())));
        queue_.set_error(FileDescriptor(::dup(driver_->error_fd())));
        set_up(driver_->initial_base());
    }

    void set_up(uint32_t base) {
        ASSERT_TRUE(queue_.set_up(driver_->layout(), base, memory_.as_guest_memory()));
    }

    // Pops a chain that has to be there.
    DescriptorChain pop() {
        auto chain = queue_.pop();
        EXPECT_TRUE(chain.has_value());
        EXPECT_TRUE(chain->has_value());
        return std::move(**chain);
    }

    bool empty() {
        auto chain = queue_.pop();
        return chain.has_value() && !chain->has_value();
    }

    // Makes one readable buffer available.
    uint16_t add() { return driver_->add({Buffer{memory_.allocate(16), 16}}); }

    CapturedLog log_;
    FakeMemory memory_;
    std::unique_ptr<DriverQueue> driver_ = DriverQueue::create(memory_, kSize, GetParam().features);
    Virtqueue queue_{3, test::signaller(), log_.logger()};
};

INSTANTIATE_TEST_SUITE_P(Rings, VirtqueueTest, all_ring_kinds(), ring_kind_name);

class EventIndexTest : public VirtqueueTest {};
INSTANTIATE_TEST_SUITE_P(Rings, EventIndexTest, testing::Values(kSplitEventIdx, kPackedEventIdx),
                         ring_kind_name);

TEST_P(VirtqueueTest, PopFindsNothingOnAnEmptyRing) {
    EXPECT_TRUE(empty());
}

TEST_P(VirtqueueTest, PopBeforeSetUpIsAnError) {
    Virtqueue queue(0, test::signaller(), log_.logger());
    EXPECT_EQ(queue.pop().error(), Errno{ENOTCONN});
}

TEST_P(VirtqueueTest, AChainHasItsBuffersInOrder) {
    const auto first = pattern(10, 1);
    const auto second = pattern(20, 2);
    const uint64_t in = memory_.allocate(30);
    const uint16_t id = driver_->add({Buffer{memory_.store(first), 10},
                                      Buffer{memory_.store(second), 20}, Buffer{in, 30, true}});
    auto chain = pop();
    EXPECT_EQ(chain.id(), id);
    EXPECT_EQ(chain.readable().size(), 2u);
    EXPECT_EQ(chain.writable().size(), 1u);
    EXPECT_EQ(chain.readable_size(), 30u);
    EXPECT_EQ(chain.writable_size(), 30u);

    std::vector<std::byte> across(12);
    EXPECT_TRUE(chain.read(4, across));
    std::vector<std::byte> expected(first.begin() + 4, first.end());
    expected.insert(expected.end(), second.begin(), second.begin() + 6);
    EXPECT_EQ(across, expected);

    EXPECT_TRUE(chain.write(5, pattern(25)));
    queue_.push(std::move(chain), 30);
    EXPECT_EQ(driver_->take_used(), (Used{id, 30}));
    EXPECT_EQ(memory_.load(in + 5, 25), pattern(25));
}

TEST_P(VirtqueueTest, AnIndirectChainIsLikeADirectOne) {
    const auto out = pattern(100);
    const uint64_t in = memory_.allocate(50);
    const uint16_t id = driver_->add(
        {Buffer{memory_.store(out), 100}, Buffer{in, 20, true}, Buffer{in + 20, 30, true}}, true);
    auto chain = pop();
    EXPECT_EQ(chain.readable().size(), 1u);
    EXPECT_EQ(chain.writable().size(), 2u);
    std::vector<std::byte> copy(100);
    EXPECT_TRUE(chain.read(0, copy));
    EXPECT_EQ(copy, out);
    EXPECT_TRUE(chain.write(0, pattern(50)));
    queue_.push(std::move(chain), 50);
    EXPECT_EQ(driver_->take_used(), (Used{id, 50}));
    EXPECT_EQ(memory_.load(in, 50), pattern(50));
}

TEST_P(VirtqueueTest, AnIndirectTableMayHaveAsManyBuffersAsTheRing) {
    std::vector<Buffer> buffers(kSize, Buffer{memory_.allocate(16), 16});
    driver_->add(buffers, true);
    auto chain = pop();
    EXPECT_EQ(chain.readable().size(), kSize);
    queue_.push(std::move(chain), 0);
}

TEST_P(VirtqueueTest, CopyingBeyondAChainIsRefused) {
    driver_->add({Buffer{memory_.allocate(16), 16}, Buffer{memory_.allocate(8), 8, true}});
    auto chain = pop();
    std::vector<std::byte> bytes(9);
    EXPECT_EQ(chain.read(8, bytes).error(), Errno{EINVAL});
    EXPECT_EQ(chain.read(SIZE_MAX, bytes).error(), Errno{EINVAL});
    EXPECT_EQ(chain.write(0, bytes).error(), Errno{EINVAL});
    EXPECT_TRUE(chain.read(16, {}));
    EXPECT_EQ(chain.read(17, {}).error(), Errno{EINVAL});
    queue_.push(std::move(chain), 0);
}

TEST_P(VirtqueueTest, ABufferMaySpanAdjoiningRegions) {
    FakeMemory memory(4 << 20, 0);
    memory.add_region(4 << 20, 1 << 20);
    auto driver = DriverQueue::create(memory, kSize, GetParam().features);
    ASSERT_TRUE(queue_.set_up(driver->layout(), driver->initial_base(), memory.as_guest_memory()));
    driver->add({Buffer{(4 << 20) - 100, 300}});
    auto chain = pop();
    ASSERT_EQ(chain.readable().size(), 2u);
    EXPECT_EQ(chain.readable()[0].size, 100u);
    EXPECT_EQ(chain.readable()[1].size, 200u);
    queue_.push(std::move(chain), 0);
}

TEST_P(VirtqueueTest, ChainsOfAllLengthsGoAroundTheRingManyTimes) {
    const uint64_t out = memory_.allocate(4096);
    const uint64_t in = memory_.allocate(4096);
    for (uint32_t round = 0; round < 1000; ++round) {
        const uint32_t count = round % (kSize - 1) + 1;
        std::vector<Buffer> buffers(count, Buffer{out, 1 + round % 64});
        buffers.push_back(Buffer{in, 4096, true});
        *memory_.at<uint32_t>(out) = round;
        const uint16_t id = driver_->add(buffers, round % 5 == 0);
        auto chain = pop();
        ASSERT_EQ(chain.readable().size(), count);
        uint8_t value = 0;
        ASSERT_TRUE(chain.read(0, std::as_writable_bytes(std::span(&value, 1))));
        ASSERT_EQ(value, round % 256);
        queue_.push(std::move(chain), round % 4096);
        ASSERT_EQ(driver_->take_used(), (Used{id, round % 4096}));
        ASSERT_TRUE(empty());
    }
}

TEST_P(VirtqueueTest, ChainsMayBeGivenBackInAnyOrder) {
    const uint16_t first = add();
    const uint16_t second =
        driver_->add({Buffer{memory_.allocate(16), 16}, Buffer{memory_.allocate(16), 16, true}});
    const uint16_t third = add();
    auto a = pop();
    auto b = pop();
    auto c = pop();
    queue_.push(std::move(b), 7);
    queue_.push(std::move(c), 0);
    queue_.push(std::move(a), 0);
    EXPECT_EQ(driver_->take_used(), (Used{second, 7}));
    EXPECT_EQ(driver_->take_used(), (Used{third, 0}));
    EXPECT_EQ(driver_->take_used(), (Used{first, 0}));
    EXPECT_EQ(driver_->take_used(), std::nullopt);
}

TEST_P(VirtqueueTest, UnpoppedChainsArePoppedAgainInTheirOrder) {
    const uint16_t ids[] = {add(), add(), add(), add()};
    auto a = pop();
    auto b = pop();
    auto c = pop();
    queue_.unpop(std::move(b));
    queue_.unpop(std::move(a));
    queue_.unpop(std::move(c));
    for (const uint16_t id : ids) {
        auto chain = pop();
        EXPECT_EQ(chain.id(), id);
        queue_.push(std::move(chain), 0);
        EXPECT_EQ(driver_->take_used(), (Used{id, 0}));
    }
    EXPECT_TRUE(empty());
}

TEST_P(VirtqueueTest, EnableNotificationsSeesAnUnpoppedChain) {
    add();
    queue_.unpop(pop());
    EXPECT_TRUE(queue_.enable_notifications());
    queue_.push(pop(), 0);
    EXPECT_FALSE(queue_.enable_notifications());
}

TEST_P(VirtqueueTest, AStoppedRingResumesWithTheChainsThatWereInFlight) {
    // Uses up most of the ring first, so that what is in flight wraps around its end.
    for (int i = 0; i < kSize - 2; ++i) {
        add();
        queue_.push(pop(), 0);
        driver_->take_used();
    }
    const uint16_t done = add();
    const uint16_t ids[] = {add(), add(), add()};
    queue_.push(pop(), 0);
    auto a = pop();
    auto b = pop();
    queue_.unpop(std::move(a));
    queue_.unpop(std::move(b));
    const uint32_t base = queue_.tear_down();
    EXPECT_EQ(queue_.pop().error(), Errno{ENOTCONN});

    set_up(base);
    EXPECT_EQ(driver_->take_used(), (Used{done, 0}));
    for (const uint16_t id : ids) {
        auto chain = pop();
        EXPECT_EQ(chain.id(), id);
        queue_.push(std::move(chain), 0);
        EXPECT_EQ(driver_->take_used(), (Used{id, 0}));
    }
    EXPECT_TRUE(empty());
}

TEST_P(VirtqueueTest, AnUnpoppedChainBeforeAUsedOneIsGivenBackEmptyAtTheStop) {
    const uint16_t first = add();
    const uint16_t second = add();
    const uint16_t third = add();
    auto a = pop();
    auto b = pop();
    auto c = pop();
    queue_.push(std::move(b), 0);
    queue_.unpop(std::move(a));
    queue_.unpop(std::move(c));
    set_up(queue_.tear_down());
    EXPECT_EQ(driver_->take_used(), (Used{second, 0}));
    EXPECT_EQ(driver_->take_used(), (Used{first, 0}));
    EXPECT_EQ(driver_->take_used(), std::nullopt);
    auto again = pop();
    EXPECT_EQ(again.id(), third);
    queue_.push(std::move(again), 0);
}

TEST_P(VirtqueueTest, TheBaseOfAnUnusedRingIsTheInitialOne) {
    EXPECT_EQ(queue_.tear_down(), driver_->initial_base());
}

TEST_P(VirtqueueTest, NotifyWithoutAnythingPushedIsSilent) {
    EXPECT_FALSE(queue_.notify());
    add();
    auto chain = pop();
    EXPECT_FALSE(queue_.notify());
    queue_.push(std::move(chain), 0);
    EXPECT_TRUE(queue_.notify());
    EXPECT_FALSE(queue_.notify());
}

TEST_P(VirtqueueTest, ADriverThatWantsNoInterruptsGetsNone) {
    driver_->enable_interrupts();
    add();
    queue_.push(pop(), 0);
    EXPECT_TRUE(queue_.notify());
    EXPECT_TRUE(driver_->interrupted());
    driver_->take_used();

    driver_->disable_interrupts();
    for (int i = 0; i < 3 * kSize; ++i) {
        add();
        queue_.push(pop(), 0);
        EXPECT_FALSE(queue_.notify()) << i;
        driver_->take_used();
    }
    EXPECT_FALSE(driver_->interrupted());

    driver_->enable_interrupts();
    add();
    queue_.push(pop(), 0);
    EXPECT_TRUE(queue_.notify());
    EXPECT_TRUE(driver_->interrupted());
}

TEST_P(EventIndexTest, OneInterruptIsGivenPerRequest) {
    driver_->enable_interrupts();
    for (int i = 0; i < 5; ++i) {
        add();
        queue_.push(pop(), 0);
        EXPECT_EQ(queue_.notify(), i == 0) << i;
    }
    while (driver_->take_used()) {
    }
    driver_->enable_interrupts();
    add();
    queue_.push(pop(), 0);
    EXPECT_TRUE(queue_.notify());
}

TEST_P(VirtqueueTest, ABatchThatCrossesTheEventIndexInterruptsOnce) {
    driver_->enable_interrupts();
    for (int i = 0; i < kSize; ++i) {
        add();
    }
    for (int i = 0; i < kSize; ++i) {
        queue_.push(pop(), 0);
    }
    EXPECT_TRUE(queue_.notify());
    EXPECT_FALSE(queue_.notify());
}

TEST_P(VirtqueueTest, ADeviceThatWantsNoKicksGetsNone) {
    EXPECT_FALSE(queue_.enable_notifications());
    add();
    EXPECT_TRUE(driver_->kick_wanted());
    queue_.push(pop(), 0);
    driver_->take_used();
    queue_.disable_notifications();
    for (int i = 0; i < 3 * kSize; ++i) {
        add();
        EXPECT_FALSE(driver_->kick_wanted()) << i;
        queue_.push(pop(), 0);
        driver_->take_used();
    }
    EXPECT_FALSE(queue_.enable_notifications());
    add();
    EXPECT_TRUE(driver_->kick_wanted());
}

TEST_P(VirtqueueTest, EnableNotificationsSeesWhatCameWhileTheyWereDisabled) {
    queue_.disable_notifications();
    add();
    EXPECT_TRUE(queue_.enable_notifications());
    queue_.push(pop(), 0);
    EXPECT_FALSE(queue_.enable_notifications());
}

TEST_P(VirtqueueTest, ARingAsksForKicksFromTheBeginning) {
    add();
    EXPECT_TRUE(driver_->kick_wanted());
}

TEST_P(VirtqueueTest, AnInterruptWithoutACallDescriptorIsGivenWhenThereIsOne) {
    queue_.set_call(FileDescriptor());
    add();
    queue_.push(pop(), 0);
    EXPECT_TRUE(queue_.notify());
    EXPECT_FALSE(driver_->interrupted());
    queue_.set_call(FileDescriptor(::dup(driver_->call_fd())));
    EXPECT_TRUE(driver_->interrupted());
}

TEST_P(VirtqueueTest, WhatWasPushedWithoutNotifyIsSignalledAtTheStop) {
    add();
    queue_.push(pop(), 0);
    queue_.tear_down();
    EXPECT_TRUE(driver_->interrupted());
}

TEST_P(VirtqueueTest, AChainSurvivesTheRemovalOfItsMemory) {
    auto& region = memory_.add_region(1 << 30, 1 << 20);
    const auto bytes = pattern(64);
    std::copy(bytes.begin(), bytes.end(), region.data());
    ASSERT_TRUE(queue_.change_memory(memory_.as_guest_memory()));
    driver_->add({Buffer{1 << 30, 64}});
    auto chain = pop();
    memory_.remove_region(1 << 30);
    ASSERT_TRUE(queue_.change_memory(memory_.as_guest_memory()));
    std::vector<std::byte> copy(64);
    EXPECT_TRUE(chain.read(0, copy));
    EXPECT_EQ(copy, bytes);
    queue_.push(std::move(chain), 0);
}

TEST_P(VirtqueueTest, ARingGoesOnWhenMemoryIsMappedAnew) {
    const uint16_t id = add();
    auto chain = pop();
    ASSERT_TRUE(queue_.change_memory(memory_.as_guest_memory()));
    queue_.push(std::move(chain), 0);
    EXPECT_EQ(driver_->take_used(), (Used{id, 0}));
    const uint16_t next = add();
    queue_.push(pop(), 0);
    EXPECT_EQ(driver_->take_used(), (Used{next, 0}));
}

TEST_P(VirtqueueTest, ARingWhoseMemoryIsRemovedFails) {
    add();
    auto chain = pop();
    EXPECT_FALSE(queue_.change_memory(std::make_shared<memory::GuestMemory>()));
    EXPECT_TRUE(driver_->error_signalled());
    EXPECT_THAT(queue_.failure(), testing::HasSubstr("memory"));
    EXPECT_EQ(queue_.pop().error(), Errno{EPROTO});
    queue_.push(std::move(chain), 0);
    EXPECT_EQ(driver_->take_used(), std::nullopt);
    EXPECT_FALSE(queue_.notify());
}

TEST_P(VirtqueueTest, ALayoutOutsideMemoryIsRefused) {
    const auto memory = memory_.as_guest_memory();
    for (auto member : {&vhost::RingLayout::descriptors, &vhost::RingLayout::driver,
                        &vhost::RingLayout::device}) {
        vhost::RingLayout layout = driver_->layout();
        layout.*member = FakeMemory::vmm_address(0x10000 + (16 << 20)) - 16;
        if (member == &vhost::RingLayout::descriptors || !GetParam().packed()) {
            EXPECT_EQ(queue_.set_up(layout, driver_->initial_base(), memory).error(),
                      Errno{EFAULT});
        }
        layout.*member = UINT64_MAX - 15;
        EXPECT_EQ(queue_.set_up(layout, driver_->initial_base(), memory).error(), Errno{EFAULT});
    }
}

TEST_P(VirtqueueTest, ALayoutThatIsNotAlignedIsRefused) {
    const auto memory = memory_.as_guest_memory();
    for (auto member : {&vhost::RingLayout::descriptors, &vhost::RingLayout::driver,
                        &vhost::RingLayout::device}) {
        vhost::RingLayout layout = driver_->layout();
        layout.*member += 1;
        EXPECT_EQ(queue_.set_up(layout, driver_->initial_base(), memory).error(), Errno{EINVAL});
    }
}

TEST_P(VirtqueueTest, ASizeThatTheSpecificationForbidsIsRefused) {
    const auto memory = memory_.as_guest_memory();
    vhost::RingLayout layout = driver_->layout();
    for (const uint16_t size : {0, 32769, 65535}) {
        layout.size = size;
        EXPECT_EQ(queue_.set_up(layout, driver_->initial_base(), memory).error(), Errno{EINVAL});
    }
    layout.size = 6;  // only a split ring's is a power of two
    EXPECT_EQ(queue_.set_up(layout, driver_->initial_base(), memory).has_value(),
              GetParam().packed());
}

TEST_P(VirtqueueTest, ABaseOutsideTheRingIsRefused) {
    const auto memory = memory_.as_guest_memory();
    for (const uint32_t base : {0x00080000U, 0x80008008U, 0xffffffffU}) {
        EXPECT_EQ(queue_.set_up(driver_->layout(), base, memory).error(), Errno{EINVAL}) << base;
    }
}

}  // namespace
}  // namespace vrdma::test
