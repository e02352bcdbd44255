// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Limits that change while guests work, and the rate of commands.
#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>

#include "virtual_device_fixture.h"

namespace vrdma::device {
namespace {

using namespace std::chrono_literals;

class LimitsTest : public VirtualDeviceTest {
  protected:
    static VirtualDevice::LimitStatus limit(VirtualDevice& device, std::string_view key) {
        const auto status = device.status();
        const auto found =
            std::ranges::find(status.limits, key, [](const auto& limit) { return limit.key; });
        EXPECT_NE(found, status.limits.end());
        return found == status.limits.end() ? VirtualDevice::LimitStatus{} : *found;
    }

    uint64_t waits() { return *limit(*device_, "commands_per_second").reached; }

    // Commands, so many that one of them waits for a token.
    void exhaust_rate() {
        while (waits() == 0) {
            alloc_ucontext();
        }
    }

    // Starts the queues at a low rate, and submits six commands of which at least one waits.
    // Answers how many contexts there were before the six.
    int have_commands_wait() {
        Limits limits;
        limits.commands_per_second = 1;
        limits.command_burst = 1;
        device_->set_limits(limits);
        start_queues();
        exhaust_rate();
        const uint64_t before = waits();
        const int contexts = seen(&FakeRnicState::contexts);
        const auto request = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT);
        for (int i = 0; i < 6; ++i) {
            submit(bytes(request), sizeof(vrdma_rsp_handle));
        }
        while (waits() == before) {
            std::this_thread::yield();
        }
        return contexts;
    }
};

INSTANTIATE_TEST_SUITE_P(Rings, LimitsTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Split"; });

TEST_P(LimitsTest, ALimitThatIsRaisedCountsForTheNextVerb) {
    Limits limits;
    limits.contexts = 1;
    device_->set_limits(limits);
    start_queues();
    const auto request = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT);
    EXPECT_EQ(ask<vrdma_rsp_handle>(bytes(request)).first, 0U);
    EXPECT_EQ(ask<vrdma_rsp_handle>(bytes(request)).first, static_cast<uint32_t>(EDQUOT));
    EXPECT_EQ(limit(*device_, "contexts").reached, 1U);
    limits.contexts = 2;
    device_->set_limits(limits);
    EXPECT_EQ(ask<vrdma_rsp_handle>(bytes(request)).first, 0U);
    EXPECT_EQ(limit(*device_, "contexts").limit, 2U);
    EXPECT_EQ(limit(*device_, "contexts").used, 2U);
}

TEST_P(LimitsTest, WhatAGuestHadGoesWithItAndHowOftenItReachedALimitStays) {
    Limits limits;
    limits.contexts = 1;
    device_->set_limits(limits);
    start_queues();
    alloc_ucontext();
    alloc_ucontext();
    disconnect();
    while (device_->status().connected) {
        std::this_thread::yield();
    }
    EXPECT_EQ(limit(*device_, "contexts").used, 0U);
    EXPECT_EQ(limit(*device_, "contexts").reached, 1U);
    connect();
}

TEST_P(LimitsTest, TheRnicHasTheLimitsOfTrafficAtOnceAndAfterAReset) {
    Limits limits;
    limits.weight = 5;
    limits.bytes_per_second = 1000000;
    limits.messages_per_second = 1000;
    limits.burst_ms = 20;
    device_->set_limits(limits);
    const rnic::TrafficLimits wanted{
        .weight = 5, .bytes_per_second = 1000000, .messages_per_second = 1000, .burst = 20ms};
    while (seen(&FakeRnicState::traffic) != wanted) {
        std::this_thread::yield();
    }
    {
        const std::lock_guard lock(rnic_.state.mutex);
        rnic_.state.traffic = {};
    }
    EXPECT_TRUE(vmm_->acknowledged(vhost::Request::kResetDevice));
    EXPECT_EQ(seen(&FakeRnicState::traffic), wanted) << "the new port has them, too";
    const rnic::PortBudgets budgets = seen(&FakeRnicState::budgets);
    budgets.traffic->messages_per_second.count();
    budgets.traffic->messages_per_second.count();
    budgets.traffic->bytes_per_second.count();
    EXPECT_EQ(limit(*device_, "messages_per_second").reached, 2U);
    EXPECT_EQ(limit(*device_, "bytes_per_second").reached, 1U);
}

TEST_P(LimitsTest, CommandsBeyondTheRateWaitAndAreExecutedLater) {
    Limits limits;
    limits.commands_per_second = 1;
    limits.command_burst = 1;
    device_->set_limits(limits);
    start_queues();
    exhaust_rate();
    EXPECT_GE(seen(&FakeRnicState::contexts), 2) << "the one that had to wait, too";
}

TEST_P(LimitsTest, ARateThatIsRaisedLetsCommandsGoThatWait) {
    const int contexts = have_commands_wait();
    device_->set_limits({});
    for (int i = 0; i < 6; ++i) {
        control().wait_used();
    }
    EXPECT_EQ(seen(&FakeRnicState::contexts), contexts + 6);
}

TEST_P(LimitsTest, AQueueStopsAtOnceWhileCommandsWaitAndTheyAreExecutedWhenItResumes) {
    const int contexts = have_commands_wait();
    const uint32_t base = vmm_->stop_queue(VRDMA_VQ_CONTROL);
    device_->set_limits({});
    vmm_->start_queue(VRDMA_VQ_CONTROL, control(), base);
    for (int i = 0; i < 6; ++i) {
        control().wait_used();
    }
    EXPECT_EQ(seen(&FakeRnicState::contexts), contexts + 6) << "each was executed once";
}

TEST_P(LimitsTest, ADeviceWhoseCommandsWaitIsReset) {
    have_commands_wait();
    for (const auto& [index, queue] : queues_) {
        vmm_->stop_queue(index);
    }
    EXPECT_TRUE(vmm_->acknowledged(vhost::Request::kResetDevice));
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
}

TEST_P(LimitsTest, AGuestThatWaitsDoesNotTouchAnother) {
    Limits limits;
    limits.commands_per_second = 1;
    limits.command_burst = 1;
    limits.contexts = 1;
    device_->set_limits(limits);
    VirtualDevice other({.guest = "other", .limits = {}}, rnic_, logger_);
    start_queues();
    exhaust_rate();
    EXPECT_EQ(limit(other, "contexts").used, 0U);
    EXPECT_EQ(limit(other, "contexts").reached, 0U);
    EXPECT_EQ(limit(other, "contexts").limit, Limits{}.contexts);
    EXPECT_EQ(*limit(other, "commands_per_second").reached, 0U);
}

}  // namespace
}  // namespace vrdma::device
