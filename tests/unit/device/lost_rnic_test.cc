// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest whose RNIC goes, or never was there.
#include "virtual_device_fixture.h"

namespace vrdma::device {
namespace {

class LostRnicTest : public VirtualDeviceTest {
  protected:
    // Offers a buffer for an asynchronous event.  Returns its address.
    uint64_t offer_event_buffer() {
        const uint64_t buffer = memory_.allocate(sizeof(vrdma_event));
        test::DriverQueue& queue = *queues_.at(VRDMA_VQ_EVENT);
        queue.add({{buffer, sizeof(vrdma_event), true}});
        queue.publish();
        return buffer;
    }

    // Waits for the event that fills `buffer`.
    uint32_t event_type(uint64_t buffer) {
        EXPECT_EQ(queues_.at(VRDMA_VQ_EVENT)->wait_used().written, sizeof(vrdma_event));
        return le32toh(memory_.at<vrdma_event>(buffer)->type);
    }

    void lose_rnic() { rnic_.sink->async_event(rnic::AsyncEventType::kDeviceFatal, 0); }

    // Reports the loss, and returns when the guest has been told.
    void lose_rnic_and_wait() {
        const uint64_t buffer = offer_event_buffer();
        lose_rnic();
        EXPECT_EQ(event_type(buffer), uint32_t{VRDMA_EVENT_DEVICE_FATAL});
    }

    uint32_t status_of(uint16_t opcode) {
        return ask<vrdma_rsp_empty>(bytes(make<vrdma_cmd_handle>(opcode, 0))).first;
    }
};

INSTANTIATE_TEST_SUITE_P(Rings, LostRnicTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Split"; });

TEST_P(LostRnicTest, AllThatTheRnicGaveIsGoneWhenTheGuestIsTold) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    ASSERT_EQ(ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx))).first,
              0U);
    lose_rnic_and_wait();
    EXPECT_EQ(seen(&FakeRnicState::pds), 0);
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
    EXPECT_EQ(seen(&FakeRnicState::ports), 0);
    EXPECT_EQ(device_->status().objects.contexts, 0U);
}

TEST_P(LostRnicTest, TheDeviceIsReadyAgainWhenAResetFindsAnRnic) {
    const auto status = [this] {
        vrdma_config config{};
        EXPECT_TRUE(device_->read_config(0, std::as_writable_bytes(std::span(&config, 1))));
        return le32toh(config.status);
    };
    start_queues();
    EXPECT_EQ(status(), uint32_t{VRDMA_STATUS_READY});
    lose_rnic_and_wait();
    EXPECT_EQ(status(), 0U);
    ASSERT_TRUE(vmm_->acknowledged(vhost::Request::kResetDevice));
    EXPECT_EQ(status(), uint32_t{VRDMA_STATUS_READY});
    start_queues();
    alloc_ucontext();
}

// The VMM's mapping would keep the RNIC's file open.
TEST_P(LostRnicTest, MappingsOfTheRnicLeaveTheSharedMemoryRegionAndTheDoorbellAreaStays) {
    start_queues();
    const auto serve_one = [&] {
        auto request = channel_->receive();
        channel_->reply(request, 0);
        return request;
    };
    submit(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_MAP_DOORBELLS)), sizeof(vrdma_rsp_map_doorbells));
    const auto doorbells = serve_one();
    control().wait_used();
    const uint32_t uctx = alloc_ucontext();
    submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    const auto queue = serve_one();
    control().wait_used();

    lose_rnic_and_wait();
    const auto undo = serve_one();
    EXPECT_EQ(undo.type(), vhost::BackendRequest::kShmemUnmap);
    EXPECT_EQ(undo.mapping.region_offset, queue.mapping.region_offset);
    EXPECT_EQ(undo.mapping.length, queue.mapping.length);
    EXPECT_EQ(device_->status().shm_used, doorbells.mapping.length);
}

// A VMM that is stopped answers no request, and must not keep the host from removing its RNIC.
TEST_P(LostRnicTest, ACommandThatWaitsForTheVmmDoesNotHoldTheRnic) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    const uint64_t answer = submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    const auto request = channel_->receive();
    ASSERT_EQ(request.type(), vhost::BackendRequest::kShmemMap);

    lose_rnic_and_wait();
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
    control().wait_used();
    EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_hdr>(answer)->status), uint32_t{ENODEV});

    // What the VMM maps too late is taken out again.
    channel_->reply(request, 0);
    const auto undo = channel_->receive();
    EXPECT_EQ(undo.type(), vhost::BackendRequest::kShmemUnmap);
    EXPECT_EQ(undo.mapping.region_offset, request.mapping.region_offset);
}

// The guest decides how many commands there are, and the host's RNIC waits for the guest's files.
TEST_P(LostRnicTest, CommandsThatWaitDoNotHoldTheRnic) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    rnic_.state.in_query_port([this] { lose_rnic(); });
    auto query = make<vrdma_cmd_query_port>(VRDMA_CMD_QUERY_PORT);
    query.port = htole32(1);
    const auto add = [&](std::span<const std::byte> request, uint32_t response_size) {
        const uint64_t answer = memory_.allocate(response_size);
        control().add({{memory_.store(request), static_cast<uint32_t>(request.size())},
                       {answer, response_size, true}});
        return answer;
    };
    add(bytes(query), sizeof(vrdma_rsp_query_port));
    std::vector<uint64_t> answers;
    answers.reserve(6);
    while (answers.size() < 6) {
        answers.push_back(
            add(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx)), sizeof(vrdma_rsp_handle)));
    }
    control().kick();
    for (size_t i = 0; i <= answers.size(); ++i) {
        control().wait_used();
    }
    for (const uint64_t answer : answers) {
        EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_hdr>(answer)->status), uint32_t{ENODEV});
    }
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
}

TEST_P(LostRnicTest, WhatTheGuestGivesBackIsTakenAndAllElseIsRefused) {
    start_queues();
    alloc_ucontext();
    lose_rnic_and_wait();
    for (const uint16_t opcode :
         {VRDMA_CMD_DEALLOC_UCONTEXT, VRDMA_CMD_MUNMAP, VRDMA_CMD_DEALLOC_PD, VRDMA_CMD_DEREG_MR,
          VRDMA_CMD_DESTROY_CQ, VRDMA_CMD_DESTROY_SRQ, VRDMA_CMD_DESTROY_QP, VRDMA_CMD_DESTROY_AH,
          VRDMA_CMD_DEL_GID}) {
        EXPECT_EQ(status_of(opcode), 0U) << opcode;
    }
    for (const uint16_t opcode :
         {VRDMA_CMD_QUERY_DEVICE, VRDMA_CMD_QUERY_PORT, VRDMA_CMD_ADD_GID, VRDMA_CMD_MAP_DOORBELLS,
          VRDMA_CMD_QUERY_UDATA_POINTER, VRDMA_CMD_ALLOC_UCONTEXT, VRDMA_CMD_MMAP,
          VRDMA_CMD_ALLOC_PD, VRDMA_CMD_REG_MR, VRDMA_CMD_CREATE_CQ, VRDMA_CMD_CREATE_SRQ,
          VRDMA_CMD_MODIFY_SRQ, VRDMA_CMD_QUERY_SRQ, VRDMA_CMD_CREATE_QP, VRDMA_CMD_MODIFY_QP,
          VRDMA_CMD_QUERY_QP, VRDMA_CMD_CREATE_AH, VRDMA_CMD_QUERY_AH}) {
        EXPECT_EQ(status_of(opcode), uint32_t{ENODEV}) << opcode;
    }
}

TEST_P(LostRnicTest, AGuestWithoutABufferIsToldWhenItHasOne) {
    start_queues();
    alloc_ucontext();
    lose_rnic();
    EXPECT_EQ(event_type(offer_event_buffer()), uint32_t{VRDMA_EVENT_DEVICE_FATAL});
}

TEST_P(LostRnicTest, AGuestThatIsStoppedLosesItsObjectsAllTheSame) {
    start_queues();
    alloc_ucontext();
    const uint64_t buffer = offer_event_buffer();
    const uint32_t base = vmm_->stop_queue(VRDMA_VQ_CONTROL);
    lose_rnic();
    EXPECT_EQ(event_type(buffer), uint32_t{VRDMA_EVENT_DEVICE_FATAL});
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
    vmm_->start_queue(VRDMA_VQ_CONTROL, control(), base);
    EXPECT_EQ(status_of(VRDMA_CMD_ALLOC_UCONTEXT), uint32_t{ENODEV});
}

TEST_P(LostRnicTest, AMalformedCommandIsHarmless) {
    start_queues();
    alloc_ucontext();
    lose_rnic_and_wait();
    EXPECT_TRUE(control().transact(std::vector<std::byte>(4), 16).empty());
    EXPECT_TRUE(control().transact(std::vector<std::byte>(16), 4).empty());
    EXPECT_EQ(status_of(VRDMA_CMD_ALLOC_UCONTEXT), uint32_t{ENODEV});
}

TEST_P(LostRnicTest, OtherQueuesCanBeStoppedAndStarted) {
    start_queues();
    alloc_ucontext();
    lose_rnic_and_wait();
    const uint32_t base = vmm_->stop_queue(VRDMA_VQ_DOORBELL);
    vmm_->start_queue(VRDMA_VQ_DOORBELL, *queues_.at(VRDMA_VQ_DOORBELL), base);
    EXPECT_EQ(status_of(VRDMA_CMD_DESTROY_CQ), 0U);
}

TEST_P(LostRnicTest, AResetFindsTheRnicThatHasComeBack) {
    start_queues();
    alloc_ucontext();
    lose_rnic_and_wait();
    for (auto& [index, queue] : queues_) {
        vmm_->stop_queue(index);
    }
    ASSERT_TRUE(vmm_->acknowledged(vhost::Request::kResetDevice));
    start_queues();
    EXPECT_EQ(status_of(VRDMA_CMD_ALLOC_UCONTEXT), uint32_t{EINVAL}) << "a request too long";
    alloc_ucontext();
    EXPECT_EQ(seen(&FakeRnicState::contexts), 1);
}

TEST_P(LostRnicTest, AnRnicThatGivesNoPortLeavesVerbsThatFail) {
    disconnect();
    rnic_.refuse_ports = EBUSY;
    connect();
    start_queues();
    EXPECT_EQ(
        ask<vrdma_rsp_query_device>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE))).first,
        uint32_t{ENODEV});
    EXPECT_EQ(status_of(VRDMA_CMD_DESTROY_QP), 0U);
    queues_.at(VRDMA_VQ_DOORBELL)->kick();
    EXPECT_EQ(device_->status().objects.contexts, 0U);
}

}  // namespace
}  // namespace vrdma::device
