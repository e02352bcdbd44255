// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/events/event_delivery.h"

#include <gtest/gtest.h>
#include <linux/virtio_config.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
#include "support/signaller.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::device {
namespace {

constexpr uint16_t kQueueSize = 256;

class EventDeliveryTest : public testing::Test {
  protected:
    EventDeliveryTest() {
        EXPECT_TRUE(
            queue_.set_up(driver_->layout(), driver_->initial_base(), memory_.as_guest_memory()));
        queue_.set_kick(FileDescriptor(::dup(driver_->kick_fd())));
        queue_.set_call(FileDescriptor(::dup(driver_->call_fd())));
        events_.set_virtqueue(VRDMA_VQ_EVENT, &queue_);
        events_.deliver();
    }
    ~EventDeliveryTest() override {
        events_.set_virtqueue(VRDMA_VQ_EVENT, nullptr);
        queue_.tear_down();
    }

    uint64_t offer(uint32_t length) {
        const uint64_t buffer = memory_.allocate(length);
        driver_->add({{buffer, length, true}});
        return buffer;
    }

    void report(rnic::AsyncEventType type, uint32_t handle) {
        events_.async_event(type, handle);
        events_.deliver();
    }

    void kick() {
        events_.kicked(VRDMA_VQ_EVENT);
        events_.deliver();
    }

    size_t take_all() {
        size_t count = 0;
        while (driver_->take_used()) {
            ++count;
        }
        return count;
    }

    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    test::FakeMemory memory_;
    std::unique_ptr<test::DriverQueue> driver_ =
        test::DriverQueue::create(memory_, kQueueSize, vhost::bit(VIRTIO_F_VERSION_1));
    vhost::Virtqueue queue_{VRDMA_VQ_EVENT, test::signaller(), logger_};
    EventDelivery events_{"guest", logger_};
};

TEST_F(EventDeliveryTest, OneEventTakesABoundedNumberOfBuffersThatAreTooSmall) {
    for (int i = 0; i < kQueueSize; ++i) {
        offer(1);
    }
    report(rnic::AsyncEventType::kPortActive, 1);
    const size_t taken = take_all();
    EXPECT_GT(taken, 0U);
    EXPECT_LT(taken, size_t{kQueueSize});
}

TEST_F(EventDeliveryTest, AnEventOutlivesBuffersThatAreTooSmall) {
    for (int i = 0; i < kQueueSize - 1; ++i) {
        offer(1);
    }
    const uint64_t buffer = offer(sizeof(vrdma_event));
    report(rnic::AsyncEventType::kPortActive, 7);
    for (int i = 0; i < kQueueSize && memory_.at<vrdma_event>(buffer)->handle == 0; ++i) {
        kick();
    }
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(buffer)->handle), 7U);
    EXPECT_EQ(take_all(), size_t{kQueueSize});
}

TEST_F(EventDeliveryTest, TheDriverLearnsOfABufferThatWasTooSmall) {
    offer(1);
    report(rnic::AsyncEventType::kPortActive, 1);
    EXPECT_TRUE(driver_->interrupted());
}

TEST_F(EventDeliveryTest, TheEndOfTheDeviceIsToldHoweverManyEventsWait) {
    for (size_t i = 0; i <= ReportedEvents::kMax; ++i) {
        report(rnic::AsyncEventType::kPortActive, 1);
    }
    report(rnic::AsyncEventType::kDeviceFatal, 0);
    uint32_t last = 0;
    for (size_t i = 0; i <= ReportedEvents::kMax; ++i) {
        const uint64_t buffer = offer(sizeof(vrdma_event));
        kick();
        ASSERT_TRUE(driver_->take_used()) << i;
        last = le32toh(memory_.at<vrdma_event>(buffer)->type);
    }
    EXPECT_EQ(last, uint32_t{VRDMA_EVENT_DEVICE_FATAL});
}

TEST_F(EventDeliveryTest, WhatWaitedIsForgottenWithTheSession) {
    report(rnic::AsyncEventType::kPortActive, 1);
    events_.clear();
    offer(sizeof(vrdma_event));
    kick();
    EXPECT_EQ(take_all(), 0U);
}

// The RNIC's threads report, and the ring is the guest's to make as slow as it likes.
TEST_F(EventDeliveryTest, AReportTouchesNoRing) {
    offer(sizeof(vrdma_event));
    events_.async_event(rnic::AsyncEventType::kPortActive, 1);
    EXPECT_EQ(take_all(), 0U);
    EXPECT_FALSE(driver_->interrupted());
    events_.deliver();
    EXPECT_EQ(take_all(), 1U);
}

TEST_F(EventDeliveryTest, AReportWakesAThreadThatSleepsAndNoOther) {
    const auto woken = [this] {
        eventfd_t count = 0;
        return ::eventfd_read(events_.wake_fd(), &count) == 0;
    };
    events_.completion(0, 1);
    EXPECT_FALSE(woken());
    EXPECT_FALSE(events_.begin_sleep()) << "there is something to deliver";
    events_.deliver();
    EXPECT_TRUE(events_.begin_sleep());
    events_.completion(0, 2);
    events_.completion(0, 3);
    EXPECT_TRUE(woken());
    EXPECT_FALSE(woken());
}

TEST_F(EventDeliveryTest, ACqHasOneEventHoweverOftenItIsReported) {
    auto driver = test::DriverQueue::create(memory_, 16, vhost::bit(VIRTIO_F_VERSION_1));
    vhost::Virtqueue queue(VRDMA_VQ_COMPLETION + 5, test::signaller(), logger_);
    ASSERT_TRUE(queue.set_up(driver->layout(), driver->initial_base(), memory_.as_guest_memory()));
    for (int round = 0; round < 3; ++round) {
        for (const uint32_t cq : {7U, uint32_t{VRDMA_DB_MAX_HANDLES - 1}, 0U}) {
            events_.completion(5, cq);
            events_.deliver();  // there is no virtqueue yet
        }
    }
    events_.completion(5, VRDMA_DB_MAX_HANDLES);  // no CQ has such a handle
    std::vector<uint64_t> buffers;
    for (int i = 0; i < 6; ++i) {
        buffers.push_back(memory_.allocate(sizeof(vrdma_completion_event)));
        driver->add({{buffers.back(), sizeof(vrdma_completion_event), true}});
    }
    events_.set_virtqueue(VRDMA_VQ_COMPLETION + 5, &queue);
    events_.deliver();
    std::vector<uint32_t> cqs;
    while (driver->take_used()) {
        const auto* event = memory_.at<vrdma_completion_event>(buffers[cqs.size()]);
        cqs.push_back(le32toh(event->cq));
    }
    EXPECT_EQ(cqs, (std::vector<uint32_t>{7, VRDMA_DB_MAX_HANDLES - 1, 0}));
    events_.completion(5, 7);
    events_.deliver();
    EXPECT_TRUE(driver->take_used()) << "the next event of a CQ that was told is another one";
    events_.set_virtqueue(VRDMA_VQ_COMPLETION + 5, nullptr);
    queue.tear_down();
}

TEST(ReportedCqsTest, NoReportGetsLostBetweenThreads) {
    constexpr uint32_t kThreads = 4;
    constexpr uint32_t kEach = VRDMA_DB_MAX_HANDLES / kThreads;
    ReportedCqs reported;
    std::atomic<uint32_t> running = kThreads;
    std::vector<std::thread> threads;
    for (uint32_t t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            // Neighbours in a word are from different threads.
            for (uint32_t i = 0; i < kEach; ++i) {
                reported.insert(i * kThreads + t, static_cast<uint8_t>(i % 64));
            }
            --running;
        });
    }
    std::vector<unsigned> seen(VRDMA_DB_MAX_HANDLES);
    const auto take = [&] {
        reported.take([&](uint32_t handle, uint8_t vector) {
            ++seen[handle];
            EXPECT_EQ(vector, handle / kThreads % 64);
        });
    };
    while (running != 0) {
        take();
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    take();
    EXPECT_TRUE(std::ranges::all_of(seen, [](unsigned times) { return times == 1; }));
    EXPECT_TRUE(reported.empty());
}

}  // namespace
}  // namespace vrdma::device
