// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <gmock/gmock.h>

#include "virtual_device_fixture.h"

namespace vrdma::device {
namespace {

using test::DriverQueue;

INSTANTIATE_TEST_SUITE_P(Rings, VirtualDeviceTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Packed" : "Split"; });

TEST_P(VirtualDeviceTest, ConfigurationSpaceDescribesTheDevice) {
    vrdma_config config;
    const auto space = vmm_->get_config(0, sizeof(config));
    ASSERT_EQ(space.size(), sizeof(config));
    std::memcpy(&config, space.data(), sizeof(config));
    EXPECT_TRUE(vrdma_config_valid(&config));
    EXPECT_EQ(le32toh(config.driver_id), 14U);
    EXPECT_EQ(le64toh(config.shm_size), kShmSize);
    EXPECT_EQ(config.mac[5], 3);
    EXPECT_EQ(le32toh(config.status), uint32_t{VRDMA_STATUS_READY});
    // The EUI-64 of the MAC address.
    EXPECT_EQ(be64toh(config.node_guid), 0x505400fffe010203U);
    EXPECT_TRUE(vmm_->get_config(8, sizeof(config)).empty());
}

TEST_P(VirtualDeviceTest, OnlyTheSharedMemoryRegionSizeIsWritable) {
    const __le32 value = htole32(1);
    EXPECT_FALSE(vmm_->set_config(0, bytes(value)));
    EXPECT_FALSE(vmm_->set_config(offsetof(vrdma_config, max_qp), bytes(value)));
    EXPECT_FALSE(vmm_->set_config(offsetof(vrdma_config, shm_size), bytes(value)));
}

TEST_P(VirtualDeviceTest, AnswersACommand) {
    start_queues();
    auto [status, response] =
        ask<vrdma_rsp_query_device>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE)));
    EXPECT_EQ(status, 0U);
    EXPECT_TRUE(vrdma_rsp_hdr_valid(&response.hdr, sizeof(response), 0));
    EXPECT_EQ(le32toh(response.max_qp), 1000U);
}

TEST_P(VirtualDeviceTest, TheStatusHasTheCountersThatTheGuestSees) {
    rnic_.state.counters[VRDMA_COUNTER_RDMA_READS] = 7;
    start_queues();
    auto request = make<vrdma_cmd_query_port>(VRDMA_CMD_QUERY_COUNTERS);
    request.port = htole32(1);
    const auto [status, response] = ask<vrdma_rsp_query_counters>(bytes(request));
    EXPECT_EQ(status, 0U);
    EXPECT_EQ(le64toh(response.value[VRDMA_COUNTER_RDMA_READS]), 7U);
    const auto counters = device_->status().counters;
    ASSERT_TRUE(counters);
    EXPECT_EQ(counters->at(VRDMA_COUNTER_RDMA_READS), 7U);
}

TEST_P(VirtualDeviceTest, TheStatusHasTheVerbsThatTheGuestCalled) {
    start_queues();
    const auto request = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
    ask<vrdma_rsp_query_device>(bytes(request));
    ask<vrdma_rsp_empty>(bytes(request));  // has no room for the answer
    ask<vrdma_rsp_empty>(bytes(make<vrdma_cmd_empty>(0x7777)));
    const auto verbs = device_->status().verbs;
    ASSERT_EQ(verbs.size(), 1U) << "what is no verb is not counted";
    EXPECT_EQ(verbs[0].name, std::string("query_device"));
    EXPECT_EQ(verbs[0].calls(), 2U);
    EXPECT_EQ(verbs[0].failures, 1U);
    EXPECT_GT(verbs[0].nanoseconds, 0U);
}

TEST_P(VirtualDeviceTest, AnUnknownOpcodeIsNotSupported) {
    start_queues();
    for (const uint16_t opcode : {0x0000, 0x000f, VRDMA_CMD_MODIFY_AH + 0, 0x7777, 0xffff}) {
        EXPECT_EQ(ask<vrdma_rsp_empty>(bytes(make<vrdma_cmd_empty>(opcode))).first,
                  uint32_t{EOPNOTSUPP});
    }
}

TEST_P(VirtualDeviceTest, AMalformedRequestIsInvalid) {
    start_queues();
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_QUERY_DEVICE);
    EXPECT_EQ(ask<vrdma_rsp_query_device>(bytes(request)).first, uint32_t{EINVAL}) << "length";
    auto region = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
    region.hdr.region_count = htole16(1);
    EXPECT_EQ(ask<vrdma_rsp_query_device>(bytes(region)).first, uint32_t{EINVAL}) << "region";
    auto udata = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
    udata.hdr.udata_in_len = htole16(8);
    EXPECT_EQ(ask<vrdma_rsp_query_device>(bytes(udata)).first, uint32_t{EINVAL}) << "udata";
    auto room = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
    EXPECT_EQ(ask<vrdma_rsp_empty>(bytes(room)).first, uint32_t{EINVAL}) << "no room for answer";
}

TEST_P(VirtualDeviceTest, AChainWithoutRoomForHeadersComesBackEmpty) {
    start_queues();
    EXPECT_TRUE(control().transact(std::vector<std::byte>(4), 16).empty());
    auto [status, response] =
        ask<vrdma_rsp_query_device>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE)));
    EXPECT_EQ(status, 0U) << "the queue goes on";
}

TEST_P(VirtualDeviceTest, TheRnicIsToldOfTheGuestsMemoryAndItsChanges) {
    const auto regions = [this] { return seen(&FakeRnicState::memory)->regions().size(); };
    EXPECT_EQ(regions(), 1U);
    constexpr uint64_t kPlugged = uint64_t{1} << 32;
    ASSERT_TRUE(vmm_->add_region(memory_.add_region(kPlugged, kPage)));
    EXPECT_EQ(regions(), 2U);
    ASSERT_TRUE(vmm_->remove_region(*memory_.regions().back()));
    EXPECT_EQ(regions(), 1U);
}

TEST_P(VirtualDeviceTest, UdataTravelBothWays) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx);
    request.cqe = htole32(7);
    request.hdr.udata_out_len = htole16(24);
    const auto answer = control().transact(bytes(request), sizeof(vrdma_rsp_create_cq) + 24);
    ASSERT_EQ(answer.size(), sizeof(vrdma_rsp_create_cq) + 24);
    EXPECT_EQ(answer.back(), std::byte{23});

    auto pd = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx);
    pd.hdr.udata_in_len = htole16(3);
    std::vector<std::byte> with_udata(bytes(pd).begin(), bytes(pd).end());
    with_udata.insert(with_udata.end(), {std::byte{1}, std::byte{2}, std::byte{3}});
    EXPECT_EQ(ask<vrdma_rsp_handle>(with_udata).first, 0U);
    EXPECT_EQ(seen(&FakeRnicState::udata_in),
              (std::vector{std::byte{1}, std::byte{2}, std::byte{3}}));
}

TEST_P(VirtualDeviceTest, RunCountAndRunsMustAgree) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    const uint32_t pd =
        le32toh(ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx)))
                    .second.handle);
    auto request = make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx);
    request.pd = htole32(pd);
    request.length = htole64(64);
    request.run_count = htole32(1);
    const vrdma_run run{.gpa = htole64(0x10000), .length = htole64(64)};
    const auto with_runs = [&](size_t count) {
        std::vector<std::byte> all(bytes(request).begin(), bytes(request).end());
        for (size_t i = 0; i < count; ++i) {
            all.insert(all.end(), bytes(run).begin(), bytes(run).end());
        }
        return all;
    };
    EXPECT_EQ(ask<vrdma_rsp_reg_mr>(with_runs(0)).first, uint32_t{EINVAL});
    EXPECT_EQ(ask<vrdma_rsp_reg_mr>(with_runs(2)).first, uint32_t{EINVAL});
    EXPECT_EQ(ask<vrdma_rsp_reg_mr>(with_runs(1)).first, 0U);
    request.run_count = htole32(UINT32_MAX);
    EXPECT_EQ(ask<vrdma_rsp_reg_mr>(with_runs(1)).first, uint32_t{ENOMEM});
}

TEST_P(VirtualDeviceTest, MmapShowsTheRnicsMemoryInTheSharedMemoryRegion) {
    start_queues();
    serve_shm();
    auto mapping = memory::Mapping::map(mmap_file_.get(), 0x2000, kPage);
    ASSERT_TRUE(mapping);
    mapping->data()[5] = std::byte{99};
    auto [status, response] = ask<vrdma_rsp_mmap>(bytes(mmap_request(alloc_ucontext())));
    ASSERT_EQ(status, 0U);
    ASSERT_EQ(channel_->maps(), 1U);
    EXPECT_EQ(shm_.data()[le64toh(response.shm_offset) + 5], std::byte{99});
}

TEST_P(VirtualDeviceTest, StoppingTheQueueEndsAWaitForTheVmmAndTheCommandIsExecutedAgain) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    const uint64_t answer = submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    // The VMM has the request, and stops the queue before it answers.
    const auto first = channel_->receive();
    const uint32_t base = vmm_->stop_queue(VRDMA_VQ_CONTROL);
    EXPECT_FALSE(control().take_used().has_value());
    channel_->reply(first, 0);

    vmm_->start_queue(VRDMA_VQ_CONTROL, control(), base);
    control().wait_used();
    // The VMM has mapped once, which some drivers allow no second time.
    const auto* response = memory_.at<vrdma_rsp_mmap>(answer);
    EXPECT_EQ(le32toh(response->hdr.status), 0U);
    EXPECT_EQ(le64toh(response->shm_offset), first.mapping.region_offset);
    EXPECT_EQ(device_->status().objects.mappings, 1U);
    const auto verbs = device_->status().verbs;
    const auto mmap = std::ranges::find_if(
        verbs, [](const auto& verb) { return verb.name == std::string_view("mmap"); });
    ASSERT_NE(mmap, verbs.end());
    EXPECT_EQ(mmap->calls(), 1U) << "the guest has called it once";
}

TEST_P(VirtualDeviceTest, MemoryChangesWhileACommandWaitsForTheVmm) {
    start_queues();
    const uint64_t answer = submit(bytes(mmap_request(alloc_ucontext())), sizeof(vrdma_rsp_mmap));
    const auto first = channel_->receive();
    ASSERT_TRUE(vmm_->add_region(memory_.add_region(uint64_t{1} << 32, kPage)));
    EXPECT_EQ(seen(&FakeRnicState::memory)->regions().size(), 2U);
    channel_->reply(first, 0);
    control().wait_used();
    EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_mmap>(answer)->hdr.status), 0U);
}

TEST_P(VirtualDeviceTest, StoppingTheDoorbellQueueDoesNotWaitForACommandThatWaitsForTheVmm) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    const auto first = channel_->receive();
    vmm_->stop_queue(VRDMA_VQ_DOORBELL);
    channel_->reply(first, 0);
    control().wait_used();
    queues_.at(VRDMA_VQ_DOORBELL)->kick();
    EXPECT_FALSE(take_notification());
}

TEST_P(VirtualDeviceTest, AVmmThatCannotMapIsEnomemToTheVerb) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    const uint64_t answer = submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    channel_->reply(channel_->receive(), EMFILE);
    control().wait_used();
    EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_mmap>(answer)->hdr.status), uint32_t{ENOMEM});
    EXPECT_EQ(device_->status().shm_used, 0U);
}

TEST_P(VirtualDeviceTest, WhatTheRnicsDriverRefusesToMapIsEinvalToTheVerb) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    const uint64_t answer = submit(bytes(mmap_request(uctx)), sizeof(vrdma_rsp_mmap));
    channel_->reply(channel_->receive(), EINVAL);
    control().wait_used();
    EXPECT_EQ(le32toh(memory_.at<vrdma_rsp_mmap>(answer)->hdr.status), uint32_t{EINVAL});
    EXPECT_EQ(device_->status().shm_used, 0U);
}

TEST_P(VirtualDeviceTest, ASharedMemoryRegionTooSmallIsEnomemAndTheNextOneFits) {
    start_queues();
    serve_shm();
    const uint32_t uctx = alloc_ucontext();
    auto request = mmap_request(uctx);
    request.length = htole64(kShmSize + kPage);
    EXPECT_EQ(ask<vrdma_rsp_mmap>(bytes(request)).first, uint32_t{ENOMEM});
    EXPECT_EQ(ask<vrdma_rsp_mmap>(bytes(mmap_request(uctx))).first, 0U);
}

TEST_P(VirtualDeviceTest, ResetFreesEverything) {
    start_queues();
    serve_shm();
    const uint32_t uctx = alloc_ucontext();
    ASSERT_EQ(ask<vrdma_rsp_mmap>(bytes(mmap_request(uctx))).first, 0U);
    for (auto& [index, queue] : queues_) {
        vmm_->stop_queue(index);
    }
    ASSERT_TRUE(vmm_->acknowledged(vhost::Request::kResetDevice));
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
    EXPECT_EQ(device_->status().objects.mappings, 0U);
    EXPECT_EQ(device_->status().shm_used, 0U);
    start_queues();
    EXPECT_EQ(ask<vrdma_rsp_mmap>(bytes(mmap_request(alloc_ucontext()))).first, 0U);
}

TEST_P(VirtualDeviceTest, StopAndResumeKeepsEverything) {
    start_queues();
    const uint32_t uctx = alloc_ucontext();
    std::map<uint32_t, uint32_t> bases;
    for (auto& [index, queue] : queues_) {
        bases[index] = vmm_->stop_queue(index);
    }
    for (auto& [index, queue] : queues_) {
        vmm_->start_queue(index, *queue, bases[index]);
    }
    EXPECT_EQ(seen(&FakeRnicState::contexts), 1);
    EXPECT_EQ(ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx))).first,
              0U);
}

TEST_P(VirtualDeviceTest, AVmmThatGoesTakesEverythingWithIt) {
    start_queues();
    serve_shm();
    ASSERT_EQ(ask<vrdma_rsp_mmap>(bytes(mmap_request(alloc_ucontext()))).first, 0U);
    disconnect();
    connect();
    EXPECT_EQ(seen(&FakeRnicState::contexts), 0);
    start_queues();
    EXPECT_EQ(ask<vrdma_rsp_handle>(bytes(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_UCONTEXT))).first,
              0U);
}

TEST_P(VirtualDeviceTest, ACompletionEventFillsABufferOfItsVector) {
    start_queues();
    DriverQueue& queue = *queues_.at(VRDMA_VQ_COMPLETION + 1);
    const uint64_t buffer = memory_.allocate(sizeof(vrdma_completion_event));
    queue.add({{buffer, sizeof(vrdma_completion_event), true}});
    queue.publish();
    alloc_ucontext();  // the session is there
    rnic_.sink->completion(1, 1234);
    EXPECT_EQ(queue.wait_used().written, sizeof(vrdma_completion_event));
    EXPECT_EQ(le32toh(memory_.at<vrdma_completion_event>(buffer)->cq), 1234U);
}

TEST_P(VirtualDeviceTest, ACompletionEventWaitsForABufferOncePerCq) {
    start_queues();
    alloc_ucontext();
    rnic_.sink->completion(0, 5);
    rnic_.sink->completion(0, 5);
    rnic_.sink->completion(0, 6);
    DriverQueue& queue = *queues_.at(VRDMA_VQ_COMPLETION);
    std::vector<uint32_t> cqs;
    for (int i = 0; i < 2; ++i) {
        const uint64_t buffer = memory_.allocate(sizeof(vrdma_completion_event));
        queue.add({{buffer, sizeof(vrdma_completion_event), true}});
        queue.publish();
        queue.wait_used();
        cqs.push_back(le32toh(memory_.at<vrdma_completion_event>(buffer)->cq));
    }
    EXPECT_EQ(cqs, (std::vector<uint32_t>{5, 6}));
}

TEST_P(VirtualDeviceTest, AsynchronousEventsArriveInOrder) {
    start_queues();
    alloc_ucontext();
    rnic_.sink->async_event(rnic::AsyncEventType::kQpAccessError, 3);
    rnic_.sink->async_event(rnic::AsyncEventType::kCqError, 4);
    DriverQueue& queue = *queues_.at(VRDMA_VQ_EVENT);
    const uint64_t first = memory_.allocate(sizeof(vrdma_event));
    const uint64_t second = memory_.allocate(sizeof(vrdma_event));
    queue.add({{first, sizeof(vrdma_event), true}});
    queue.add({{second, sizeof(vrdma_event), true}});
    queue.publish();
    queue.wait_used();
    if (!queue.take_used()) {
        queue.wait_used();
    }
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(first)->type), uint32_t{VRDMA_EVENT_QP_ACCESS_ERR});
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(first)->handle), 3U);
    EXPECT_EQ(le32toh(memory_.at<vrdma_event>(second)->type), uint32_t{VRDMA_EVENT_CQ_ERR});
}

TEST_P(VirtualDeviceTest, ABufferTooSmallForItsEventComesBackEmpty) {
    start_queues();
    alloc_ucontext();
    DriverQueue& queue = *queues_.at(VRDMA_VQ_EVENT);
    queue.add({{memory_.allocate(4), 4, true}});
    const uint64_t second = memory_.allocate(sizeof(vrdma_event));
    queue.add({{second, sizeof(vrdma_event), true}});
    queue.publish();
    rnic_.sink->async_event(rnic::AsyncEventType::kPortActive, 1);
    std::vector<uint32_t> written{queue.wait_used().written};
    const auto next = queue.take_used();
    written.push_back(next ? next->written : queue.wait_used().written);
    EXPECT_EQ(written, (std::vector<uint32_t>{0, sizeof(vrdma_event)}));
}

TEST_P(VirtualDeviceTest, TheGuestsNotificationsReachTheRnic) {
    start_queues();
    alloc_ucontext();
    queues_.at(VRDMA_VQ_DOORBELL)->kick();
    EXPECT_TRUE(take_notification());
}

}  // namespace
}  // namespace vrdma::device
