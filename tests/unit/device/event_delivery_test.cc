// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/event_delivery.h"

#include <gtest/gtest.h>
#include <linux/virtio_config.h>

#include "support/captured_log.h"
#include "support/driver_queue.h"
#include "support/fake_memory.h"
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
        events_.set_event_virtqueue(&queue_);
    }
    ~EventDeliveryTest() override {
        events_.set_event_virtqueue(nullptr);
        queue_.tear_down();
    }

    uint64_t offer(uint32_t length) {
        const uint64_t buffer = memory_.allocate(length);
        driver_->add({{buffer, length, true}});
        return buffer;
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
    vhost::Virtqueue queue_{VRDMA_VQ_EVENT, logger_};
    EventDelivery events_{"guest", logger_};
};

TEST_F(EventDeliveryTest, OneEventTakesABoundedNumberOfBuffersThatAreTooSmall) {
    for (int i = 0; i < kQueueSize; ++i) {
        offer(1);
    }
    events_.async_event(rnic::AsyncEventType::kPortActive, 1);
    const size_t taken = take_all();
    EXPECT_GT(taken, 0U);
    EXPECT_LT(taken, size_t{kQueueSize});
}

TEST_F(EventDeliveryTest, AnEventOutlivesBuffersThatAreTooSmall) {
    for (int i = 0; i < kQueueSize - 1; ++i) {
        offer(1);
    }
    const uint64_t buffer = offer(sizeof(vrdma_event));
    events_.async_event(rnic::AsyncEventType::kPortActive, 7);
    for (int i = 0; i < kQueueSize && memory_.at<vrdma_event>(buffer)->handle == 0; ++i) {
        events_.event_virtqueue_kicked();
    }
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(buffer)->handle), 7U);
    EXPECT_EQ(take_all(), size_t{kQueueSize});
}

TEST_F(EventDeliveryTest, TheDriverLearnsOfABufferThatWasTooSmall) {
    offer(1);
    events_.async_event(rnic::AsyncEventType::kPortActive, 1);
    EXPECT_TRUE(driver_->interrupted());
}

TEST_F(EventDeliveryTest, TheEndOfTheDeviceIsToldHoweverManyEventsWait) {
    for (size_t i = 0; i <= EventDelivery::kMaxWaitingEvents; ++i) {
        events_.async_event(rnic::AsyncEventType::kPortActive, 1);
    }
    events_.async_event(rnic::AsyncEventType::kDeviceFatal, 0);
    uint32_t last = 0;
    for (size_t i = 0; i <= EventDelivery::kMaxWaitingEvents; ++i) {
        const uint64_t buffer = offer(sizeof(vrdma_event));
        events_.event_virtqueue_kicked();
        ASSERT_TRUE(driver_->take_used()) << i;
        last = le32toh(memory_.at<vrdma_event>(buffer)->type);
    }
    EXPECT_EQ(last, uint32_t{VRDMA_EVENT_DEVICE_FATAL});
}

TEST_F(EventDeliveryTest, WhatWaitedIsForgottenWithTheSession) {
    events_.async_event(rnic::AsyncEventType::kPortActive, 1);
    events_.clear();
    offer(sizeof(vrdma_event));
    events_.event_virtqueue_kicked();
    EXPECT_EQ(take_all(), 0U);
}

}  // namespace
}  // namespace vrdma::device
