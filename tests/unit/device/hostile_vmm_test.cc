// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A VMM that was taken over, and one that is stopped: neither holds up a thread that others need,
// nor the end of its own device.
#include <sys/eventfd.h>

#include <new>
#include <system_error>

#include "virtual_device_fixture.h"

namespace vrdma::device {
namespace {

class HostileVmmTest : public VirtualDeviceTest {
  protected:
    void kick(uint32_t index) { queues_.at(index)->kick(); }

    // Waits for a used chain without an interrupt.
    test::Used poll_used(uint32_t index) {
        while (true) {
            if (const auto used = queues_.at(index)->take_used()) {
                return *used;
            }
            std::this_thread::yield();
        }
    }

    void expect_answer(uint64_t answer, uint32_t status) {
        poll_used(VRDMA_VQ_CONTROL);
        EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_hdr>(answer)->status), status);
    }

    uint64_t add_query() {
        const auto request = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
        const uint64_t answer = memory_.allocate(sizeof(vrdma_rsp_query_device));
        control().add({{memory_.store(bytes(request)), sizeof(request)},
                       {answer, sizeof(vrdma_rsp_query_device), true}});
        return answer;
    }

    void block_all() {
        for (auto& [index, queue] : queues_) {
            queue->make_eventfds_block();
        }
    }
};

INSTANTIATE_TEST_SUITE_P(Rings, HostileVmmTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Split"; });

// A write to these eventfds, or a read of an empty one, would block for ever.
TEST_P(HostileVmmTest, EventfdsThatBlockHoldUpNoCommand) {
    start_queues();
    block_all();
    for (int i = 0; i < 3; ++i) {
        const uint64_t answer = add_query();
        kick(VRDMA_VQ_CONTROL);
        expect_answer(answer, 0);
    }
}

TEST_P(HostileVmmTest, EventfdsThatBlockHoldUpNoEvent) {
    start_queues();
    block_all();
    test::DriverQueue& events = *queues_.at(VRDMA_VQ_EVENT);
    test::DriverQueue& completions = *queues_.at(VRDMA_VQ_COMPLETION);
    for (uint32_t i = 0; i < 3; ++i) {
        const uint64_t event = memory_.allocate(sizeof(vrdma_event));
        const uint64_t completion = memory_.allocate(sizeof(vrdma_completion_event));
        rnic_.sink->async_event(rnic::AsyncEventType::kPortActive, i);
        rnic_.sink->completion(0, i);
        events.add({{event, sizeof(vrdma_event), true}});
        completions.add({{completion, sizeof(vrdma_completion_event), true}});
        kick(VRDMA_VQ_EVENT);
        kick(VRDMA_VQ_COMPLETION);
        poll_used(VRDMA_VQ_EVENT);
        poll_used(VRDMA_VQ_COMPLETION);
        EXPECT_EQ(le32toh(memory_.at<vrdma_event>(event)->handle), i);
        EXPECT_EQ(le32toh(memory_.at<vrdma_completion_event>(completion)->cq), i);
    }
}

TEST_P(HostileVmmTest, EventfdsThatBlockHoldUpNoStopAndNoStart) {
    start_queues();
    block_all();
    for (auto& [index, queue] : queues_) {
        const uint32_t base = vmm_->stop_queue(index);
        vmm_->start_queue(index, *queue, base);
    }
    ASSERT_TRUE(vmm_->add_region(memory_.add_region(uint64_t{1} << 32, kPage)));
    const uint64_t answer = add_query();
    kick(VRDMA_VQ_CONTROL);
    expect_answer(answer, 0);
}

TEST_P(HostileVmmTest, EventfdsThatBlockHoldUpNoRemovalOfTheRnicAndNoDisconnection) {
    start_queues();
    alloc_ucontext();
    block_all();
    test::DriverQueue& events = *queues_.at(VRDMA_VQ_EVENT);
    const uint64_t buffer = memory_.allocate(sizeof(vrdma_event));
    events.add({{buffer, sizeof(vrdma_event), true}});
    kick(VRDMA_VQ_EVENT);
    rnic_.sink->async_event(rnic::AsyncEventType::kDeviceFatal, 0);
    poll_used(VRDMA_VQ_EVENT);
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(buffer)->type), uint32_t{VRDMA_EVENT_DEVICE_FATAL});
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
}

TEST_P(HostileVmmTest, AnErrorEventfdThatBlocksHoldsUpNobody) {
    start_queues();
    block_all();
    // A buffer without length stops the queue.
    control().add({{memory_.allocate(16), 0, false}});
    kick(VRDMA_VQ_CONTROL);
    // The signal is in the full counter, or comes after it.
    eventfd_t count = 0;
    ASSERT_EQ(::eventfd_read(control().error_fd(), &count), 0);
    if (count != UINT64_MAX) {
        ASSERT_EQ(::eventfd_read(control().error_fd(), &count), 0);
    }
    disconnect();
}

// The thread that reports serves other guests as well: the second guest's events come while the
// first one's thread for events is not done with a ring of its guest's making.
TEST_P(HostileVmmTest, WhoReportsNeverWaitsForTheGuest) {
    start_queues();
    // More events than the guest has buffers for, and none is lost.
    constexpr uint32_t kCqs = 1000;
    for (uint32_t round = 0; round < 3; ++round) {
        for (uint32_t cq = 0; cq < kCqs; ++cq) {
            rnic_.sink->completion(1, cq);
        }
    }
    test::DriverQueue& completions = *queues_.at(VRDMA_VQ_COMPLETION + 1);
    std::vector<unsigned> seen(kCqs);
    for (uint32_t i = 0; i < kCqs; ++i) {
        const uint64_t buffer = memory_.allocate(sizeof(vrdma_completion_event));
        completions.add({{buffer, sizeof(vrdma_completion_event), true}});
        completions.publish();
        completions.wait_used();
        ++seen.at(le32toh(memory_.at<vrdma_completion_event>(buffer)->cq));
    }
    EXPECT_EQ(std::ranges::count(seen, 1U), ssize_t{kCqs});
}

// What the daemon runs out of while it executes a verb.
TEST_P(HostileVmmTest, AVerbThatFindsNoMemoryOrThreadGetsAnErrnoAndTheRestLives) {
    start_queues();
    auto query = make<vrdma_cmd_query_port>(VRDMA_CMD_QUERY_PORT);
    query.port = htole32(1);
    rnic_.state.in_query_port([] { throw std::bad_alloc(); });
    EXPECT_EQ(ask<vrdma_rsp_query_port>(bytes(query)).first, uint32_t{ENOMEM});
    rnic_.state.in_query_port(
        [] { throw std::system_error(EAGAIN, std::generic_category(), "thread"); });
    EXPECT_EQ(ask<vrdma_rsp_query_port>(bytes(query)).first, uint32_t{EAGAIN});
    rnic_.state.in_query_port([] { throw std::length_error("vector"); });
    EXPECT_EQ(ask<vrdma_rsp_query_port>(bytes(query)).first, uint32_t{EIO});
    rnic_.state.in_query_port(nullptr);
    EXPECT_EQ(ask<vrdma_rsp_query_port>(bytes(query)).first, 0U);
}

// A port of an RNIC of the host's has a thread.
TEST_P(HostileVmmTest, AVmmForWhichThereIsNoThreadIsServedAndItsVerbsGetAnErrno) {
    disconnect();
    rnic_.in_open_port = [] { throw std::system_error(EAGAIN, std::generic_category(), "thread"); };
    connect();
    start_queues();
    EXPECT_EQ(
        ask<vrdma_rsp_query_device>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE))).first,
        uint32_t{ENODEV});
    disconnect();
    rnic_.in_open_port = nullptr;
    connect();
    start_queues();
    alloc_ucontext();
}

}  // namespace
}  // namespace vrdma::device
