// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/verbs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "support/captured_log.h"
#include "support/fake_memory.h"
#include "support/fake_rnic.h"
#include "support/fake_shm_mapper.h"
#include "support/page.h"

namespace vrdma::device {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using test::kPage;

constexpr uint64_t kRamSize = 64 * kPage;

class VerbsTest : public testing::Test {
  protected:
    VerbsTest() { make_verbs({}); }

    void make_verbs(const Limits& limits) {
        verbs_.reset();
        rnic::DeviceAttributes attributes;
        attributes.max_mr_size = kRamSize * 2;
        attributes.max_qp = attributes.max_cq = attributes.max_mr = attributes.max_pd = 1000;
        attributes.max_srq = attributes.max_ah = 1000;
        attributes.has_srq = true;
        budgets_ = std::make_unique<GuestBudgets>("guest7", limits, attributes, log_.logger());
        verbs_ = std::make_unique<Verbs>(
            Verbs::Options{.budgets = *budgets_, .attributes = attributes}, port_, shm_,
            DoorbellMemory{.fd = 3, .length = 8 * kPage}, [this] { return memory_; });
    }

    template <typename Request, typename Response>
    Result<Response> run(Result<void> (*function)(Verbs&, Call&, const Request&, Response&),
                         const Request& request, uint32_t uctx,
                         std::span<const vrdma_run> runs = {}) {
        Call call{
            .uctx = uctx, .udata = {}, .runs = GuestRuns(runs, guest_memory_, budgets_->mr_runs)};
        Response response{};
        auto result = function(*verbs_, call, request, response);
        if (!result) {
            return fail(result.error());
        }
        return response;
    }

    Errno error_of(auto&& result) { return result ? Errno{0} : result.error(); }

    uint32_t uctx() { return run(&verb::alloc_ucontext, {}, VRDMA_NO_HANDLE)->handle; }
    uint32_t pd(uint32_t uctx) { return run(&verb::alloc_pd, {}, uctx)->handle; }
    uint32_t cq(uint32_t uctx) {
        return run(&verb::create_cq,
                   {.hdr = {}, .cqe = 10, .comp_vector = 0, .flags = 0, .reserved = 0}, uctx)
            ->handle;
    }
    Result<vrdma_rsp_create_qp> try_qp(uint32_t uctx, uint32_t pd, uint32_t cq,
                                       uint32_t srq = VRDMA_NO_HANDLE) {
        vrdma_cmd_create_qp request{};
        request.pd = pd;
        request.send_cq = request.recv_cq = cq;
        request.srq = srq;
        return run(&verb::create_qp, request, uctx);
    }
    Result<vrdma_rsp_reg_mr> try_mr(uint32_t uctx, uint32_t pd, uint64_t length,
                                    std::vector<vrdma_run> runs) {
        vrdma_cmd_reg_mr request{};
        request.pd = pd;
        request.start = request.iova = 0x7000;
        request.length = length;
        request.run_count = runs.size();
        return run(&verb::reg_mr, request, uctx, runs);
    }
    static vrdma_cmd_handle handle(uint32_t value) {
        return {.hdr = {}, .handle = value, .reserved = 0};
    }

    test::CapturedLog log_;
    FakeRnicState state_;
    FakePort port_{state_, &FakeRnicState::ports, "port"};
    test::FakeShmMapper shm_;
    test::FakeMemory ram_{kRamSize, 0};
    std::shared_ptr<const memory::GuestMemory> memory_ = ram_.as_guest_memory();
    std::unique_ptr<GuestBudgets> budgets_;
    std::unique_ptr<Verbs> verbs_;
    const GuestMemorySource guest_memory_ = [this] { return memory_; };
};

TEST_F(VerbsTest, CountersAreThoseOfThePortInTheirOrderAndNothingBehindThem) {
    for (size_t i = 0; i < state_.counters.size(); ++i) {
        state_.counters[i] = (uint64_t{1} << 40) + i;
    }
    const auto answer =
        run(&verb::query_counters, {.hdr = {}, .port = 1, .reserved = 0}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(answer);
    for (size_t i = 0; i < VRDMA_MAX_COUNTERS; ++i) {
        EXPECT_EQ(le64toh(answer->value[i]), i < VRDMA_COUNTER_COUNT ? (uint64_t{1} << 40) + i : 0)
            << i;
    }
}

TEST_F(VerbsTest, CountersOfAPortThatIsNotThereAreInvalid) {
    for (const uint32_t port : {0U, 2U, 0xffffffffU}) {
        EXPECT_EQ(error_of(run(&verb::query_counters, {.hdr = {}, .port = port, .reserved = 0},
                               VRDMA_NO_HANDLE)),
                  Errno{EINVAL});
    }
}

TEST_F(VerbsTest, APortOnInfiniBandTellsWhatTheSubnetManagerGaveIt) {
    const auto port =
        run(&verb::query_ib_port, {.hdr = {}, .port = 1, .reserved = 0}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(port);
    EXPECT_EQ(le16toh(port->lid), 0x1234);
    EXPECT_EQ(le16toh(port->sm_lid), 0x0102);
    EXPECT_EQ(port->lmc, 3);
    EXPECT_EQ(port->max_vl_num, 4);
    state_.gids[2] = rnic::Gid{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    const auto gid =
        run(&verb::query_gid, {.hdr = {}, .port = 1, .index = htole32(2)}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(gid);
    EXPECT_THAT(gid->gid, testing::ElementsAreArray(state_.gids[2]));
    const auto pkey =
        run(&verb::query_pkey, {.hdr = {}, .port = 1, .index = htole32(1)}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(pkey);
    EXPECT_EQ(le16toh(pkey->pkey), 0x8001);
}

TEST_F(VerbsTest, AnEntryBeyondATablesEndOrOfAnotherPortIsInvalid) {
    for (const auto& [port, index] : {std::pair{1U, 16U}, {1U, 0xffffffffU}, {2U, 0U}, {0U, 0U}}) {
        const vrdma_cmd_query_table request{
            .hdr = {}, .port = htole32(port), .index = htole32(index)};
        EXPECT_EQ(error_of(run(&verb::query_gid, request, VRDMA_NO_HANDLE)), Errno{EINVAL});
        EXPECT_EQ(error_of(run(&verb::query_pkey, request, VRDMA_NO_HANDLE)), Errno{EINVAL});
    }
}

TEST_F(VerbsTest, AnRnicThatCannotCountSaysSoToTheGuest) {
    state_.refuse = EIO;
    EXPECT_EQ(error_of(run(&verb::query_counters, {.hdr = {}, .port = 1, .reserved = 0},
                           VRDMA_NO_HANDLE)),
              Errno{EIO});
}

TEST_F(VerbsTest, AnObjectOfAnotherContextIsInvalid) {
    const uint32_t mine = uctx();
    const uint32_t other = uctx();
    const uint32_t my_pd = pd(mine);
    const uint32_t my_cq = cq(mine);
    const uint32_t my_qp = try_qp(mine, my_pd, my_cq)->handle;
    const uint32_t my_mr = try_mr(mine, my_pd, 8, {{0, 8}})->handle;
    EXPECT_EQ(error_of(run(&verb::dealloc_pd, handle(my_pd), other)), Errno{EINVAL});
    EXPECT_EQ(error_of(run(&verb::destroy_cq, handle(my_cq), other)), Errno{EINVAL});
    EXPECT_EQ(error_of(run(&verb::destroy_qp, handle(my_qp), other)), Errno{EINVAL});
    EXPECT_EQ(error_of(run(&verb::dereg_mr, handle(my_mr), other)), Errno{EINVAL});
    EXPECT_EQ(error_of(try_qp(other, my_pd, my_cq)), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(other, my_pd, 8, {{0, 8}})), Errno{EINVAL});
    EXPECT_EQ(state_.qps, 1);
}

TEST_F(VerbsTest, AVerbWithoutContextIsInvalid) {
    EXPECT_EQ(error_of(run(&verb::alloc_pd, {}, VRDMA_NO_HANDLE)), Errno{EINVAL});
    EXPECT_EQ(error_of(run(&verb::alloc_pd, {}, 5)), Errno{EINVAL});
}

TEST_F(VerbsTest, WhatIsReferredToIsBusy) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint32_t my_cq = cq(context);
    const uint32_t my_srq =
        run(&verb::create_srq, {.hdr = {}, .pd = my_pd, .max_wr = 4, .max_sge = 1, .srq_limit = 0},
            context)
            ->handle;
    const uint32_t my_qp = try_qp(context, my_pd, my_cq, my_srq)->handle;
    EXPECT_EQ(error_of(run(&verb::dealloc_pd, handle(my_pd), context)), Errno{EBUSY});
    EXPECT_EQ(error_of(run(&verb::destroy_cq, handle(my_cq), context)), Errno{EBUSY});
    EXPECT_EQ(error_of(run(&verb::destroy_srq, handle(my_srq), context)), Errno{EBUSY});
    EXPECT_TRUE(run(&verb::destroy_qp, handle(my_qp), context));
    EXPECT_TRUE(run(&verb::destroy_srq, handle(my_srq), context));
    EXPECT_TRUE(run(&verb::destroy_cq, handle(my_cq), context));
    EXPECT_TRUE(run(&verb::dealloc_pd, handle(my_pd), context));
    EXPECT_THAT(state_.destroyed, ElementsAre("qp", "srq", "cq", "pd"));
}

TEST_F(VerbsTest, EndingAContextFreesWhatItOwnsAndNothingElse) {
    const uint32_t mine = uctx();
    const uint32_t other = uctx();
    for (const uint32_t context : {mine, other}) {
        const uint32_t my_pd = pd(context);
        ASSERT_TRUE(try_qp(context, my_pd, cq(context)));
        ASSERT_TRUE(try_mr(context, my_pd, 100, {{0, 100}}));
        ASSERT_TRUE(
            run(&verb::create_ah, {.hdr = {}, .pd = my_pd, .reserved = 0, .attr = {}}, context));
        ASSERT_TRUE(run(&verb::mmap, {.hdr = {}, .offset = 0x5000, .length = kPage}, context));
    }
    EXPECT_TRUE(run(&verb::dealloc_ucontext, handle(mine), VRDMA_NO_HANDLE));
    EXPECT_THAT(state_.destroyed, ElementsAre("qp", "cq", "ah", "mr", "pd", "context"));
    const ObjectCounts counts = verbs_->counts();
    EXPECT_EQ(counts.contexts, 1U);
    EXPECT_EQ(counts.queue_pairs, 1U);
    EXPECT_EQ(counts.memory_regions, 1U);
    EXPECT_EQ(counts.registered_bytes, 100U);
    EXPECT_EQ(counts.mappings, 1U);
    EXPECT_EQ(shm_.mapped.size(), 1U);
}

TEST_F(VerbsTest, DestroyingTheDeviceFreesEverythingInOrderOfDependence) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    ASSERT_TRUE(try_qp(context, my_pd, cq(context)));
    ASSERT_TRUE(try_mr(context, my_pd, 8, {{0, 8}}));
    verbs_.reset();
    EXPECT_THAT(state_.destroyed, ElementsAre("qp", "cq", "mr", "pd", "context"));
}

TEST_F(VerbsTest, ReachingALimitIsEdquotAndNamesGuestAndLimit) {
    Limits limits;
    limits.protection_domains = 2;
    make_verbs(limits);
    const uint32_t context = uctx();
    pd(context);
    const uint32_t second = pd(context);
    EXPECT_EQ(error_of(run(&verb::alloc_pd, {}, context)), Errno{EDQUOT});
    EXPECT_THAT(log_.str(), HasSubstr("guest7: limit reached: 2 protection domains"));
    ASSERT_TRUE(run(&verb::dealloc_pd, handle(second), context));
    EXPECT_TRUE(run(&verb::alloc_pd, {}, context));
}

TEST_F(VerbsTest, RegisteredBytesAreLimited) {
    Limits limits;
    limits.registered_bytes = 3 * kPage;
    make_verbs(limits);
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint32_t first = try_mr(context, my_pd, 2 * kPage, {{0, 2 * kPage}})->handle;
    EXPECT_EQ(error_of(try_mr(context, my_pd, 2 * kPage, {{0, 2 * kPage}})), Errno{EDQUOT});
    EXPECT_THAT(log_.str(), HasSubstr("guest7: limit reached"));
    ASSERT_TRUE(run(&verb::dereg_mr, handle(first), context));
    EXPECT_TRUE(try_mr(context, my_pd, 2 * kPage, {{0, 2 * kPage}}));
}

TEST_F(VerbsTest, AMemoryRegionIsMadeOfItsRunsInOrder) {
    const uint32_t context = uctx();
    auto mr = try_mr(context, pd(context), kPage + 10, {{5 * kPage + 6, kPage - 6}, {kPage, 16}});
    ASSERT_TRUE(mr);
    EXPECT_EQ(mr->lkey, 0x1100U);
    EXPECT_EQ(mr->rkey, 0x2200U);
    ASSERT_EQ(state_.mr.pieces.size(), 2U);
    const std::byte* ram = memory_->translate({0}, 1)->data;
    EXPECT_EQ(state_.mr.pieces[0].range.data, ram + 5 * kPage + 6);
    EXPECT_EQ(state_.mr.pieces[0].range.size, kPage - 6);
    EXPECT_EQ(state_.mr.pieces[1].range.data, ram + kPage);
    EXPECT_EQ(state_.mr.iova.value, 0x7000U);
}

TEST_F(VerbsTest, RunsMustSumUpToTheLength) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{0, 99}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{0, 101}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{0, 60}, {kPage, 60}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{0, UINT64_MAX}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{0, 100}, {0, 0}})), Errno{EINVAL});
    EXPECT_EQ(state_.mrs, 0);
}

TEST_F(VerbsTest, ARegionOfNoBytesHasTheByteAtWhichItBegins) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    ASSERT_TRUE(try_mr(context, my_pd, 0, {{kPage + 100, 1}}));
    EXPECT_EQ(state_.mr.length, 0U);
    ASSERT_EQ(state_.mr.pieces.size(), 1U);
    EXPECT_EQ(state_.mr.pieces[0].range.data, memory_->translate({kPage + 100}, 1)->data);
    EXPECT_EQ(error_of(try_mr(context, my_pd, 0, {{kPage, 0}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 0, {{kPage, 2}})), Errno{EINVAL});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 0, {{kRamSize, 1}})), Errno{EFAULT});
}

TEST_F(VerbsTest, RunsOutsideGuestMemoryFault) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{kRamSize, 100}})), Errno{EFAULT});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{kRamSize - 50, 100}})), Errno{EFAULT});
    EXPECT_EQ(error_of(try_mr(context, my_pd, 100, {{UINT64_MAX - 99, 100}})), Errno{EFAULT});
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
}

TEST_F(VerbsTest, ARegionLargerThanTheRnicTakesIsInvalid) {
    const uint32_t context = uctx();
    EXPECT_EQ(error_of(try_mr(context, pd(context), kRamSize * 4, {{0, kRamSize * 4}})),
              Errno{EINVAL});
}

TEST_F(VerbsTest, AVerbThatTheRnicRefusesLeavesNothing) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint32_t my_cq = cq(context);
    state_.refuse = ENOMEM;
    EXPECT_EQ(error_of(try_qp(context, my_pd, my_cq)), Errno{ENOMEM});
    EXPECT_EQ(verbs_->counts().queue_pairs, 0U);
    EXPECT_TRUE(run(&verb::destroy_cq, handle(my_cq), context));
    EXPECT_TRUE(run(&verb::dealloc_pd, handle(my_pd), context));
}

TEST_F(VerbsTest, MmapAsksTheSharedMemoryRegionForWhatTheRnicNames) {
    const uint32_t context = uctx();
    auto mapping = run(&verb::mmap, {.hdr = {}, .offset = 0x5000, .length = 2 * kPage}, context);
    ASSERT_TRUE(mapping);
    EXPECT_EQ(mapping->shm_offset, 0x10000U);
    EXPECT_EQ(shm_.last_fd, 7);
    EXPECT_EQ(shm_.last_fd_offset, 0x2000U);
    EXPECT_EQ(error_of(run(&verb::mmap, {.hdr = {}, .offset = 0x6000, .length = kPage}, context)),
              Errno{EINVAL});
}

TEST_F(VerbsTest, MunmapTakesExactlyWhatMmapReturnedToTheSameContext) {
    const uint32_t context = uctx();
    const uint32_t other = uctx();
    const uint64_t offset =
        run(&verb::mmap, {.hdr = {}, .offset = 0x5000, .length = 2 * kPage}, context)->shm_offset;
    const auto unmap = [&](uint64_t at, uint64_t length, uint32_t by) {
        return error_of(run(&verb::munmap, {.hdr = {}, .shm_offset = at, .length = length}, by));
    };
    EXPECT_EQ(unmap(offset, kPage, context), Errno{EINVAL});
    EXPECT_EQ(unmap(offset + kPage, kPage, context), Errno{EINVAL});
    EXPECT_EQ(unmap(offset, 2 * kPage, other), Errno{EINVAL});
    EXPECT_EQ(unmap(offset, 2 * kPage, context), Errno{0});
    EXPECT_EQ(unmap(offset, 2 * kPage, context), Errno{EINVAL});
    EXPECT_TRUE(shm_.mapped.empty());
}

TEST_F(VerbsTest, AFullSharedMemoryRegionIsEnomem) {
    const uint32_t context = uctx();
    shm_.refuse = ENOMEM;
    EXPECT_EQ(error_of(run(&verb::mmap, {.hdr = {}, .offset = 0x5000, .length = kPage}, context)),
              Errno{ENOMEM});
    EXPECT_EQ(verbs_->counts().mappings, 0U);
}

TEST_F(VerbsTest, TheDoorbellAreaIsMappedOnce) {
    const auto first = run(&verb::map_doorbells, {}, VRDMA_NO_HANDLE);
    const auto second = run(&verb::map_doorbells, {}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(first && second);
    EXPECT_EQ(first->shm_offset, second->shm_offset);
    EXPECT_EQ(first->length, 8 * kPage);
    EXPECT_EQ(shm_.mapped.size(), 1U);
}

TEST_F(VerbsTest, GidsReachThePort) {
    vrdma_cmd_gid request{};
    request.port = 1;
    request.index = 3;
    request.gid[0] = 0xfe;
    request.type = VRDMA_GID_TYPE_ROCE_V2;
    EXPECT_TRUE(run(&verb::add_gid, request, VRDMA_NO_HANDLE));
    EXPECT_EQ(state_.gids.at(3)[0], 0xfe);
    EXPECT_TRUE(run(&verb::del_gid, request, VRDMA_NO_HANDLE));
    EXPECT_TRUE(state_.gids.empty());
    request.port = 2;
    EXPECT_EQ(error_of(run(&verb::add_gid, request, VRDMA_NO_HANDLE)), Errno{EINVAL});
}

TEST_F(VerbsTest, QpAttributesPassThroughAndBack) {
    const uint32_t context = uctx();
    const uint32_t qp = try_qp(context, pd(context), cq(context))->handle;
    vrdma_cmd_modify_qp request{};
    request.handle = qp;
    request.attr_mask = 0x1234;
    request.attr.qp_state = 2;
    request.attr.dest_qp_num = 0xabcdef;
    request.attr.min_rnr_timer = 12;
    request.attr.ah.dgid[15] = 9;
    request.attr.ah.sgid_index = 4;
    request.attr.cap.max_send_wr = 17;
    ASSERT_TRUE(run(&verb::modify_qp, request, context));
    EXPECT_EQ(state_.qp_attr_mask, 0x1234U);
    EXPECT_EQ(state_.qp_attributes.dest_qp_num, 0xabcdefU);
    const auto answer = run(&verb::query_qp, {.hdr = {}, .handle = qp, .attr_mask = 0}, context);
    ASSERT_TRUE(answer);
    EXPECT_EQ(std::memcmp(&answer->attr, &request.attr, sizeof(request.attr)), 0);
}

TEST_F(VerbsTest, QueryDeviceShowsTheLimitsThatCount) {
    Limits limits;
    limits.queue_pairs = 12;
    limits.completion_queues = 5000;
    make_verbs(limits);
    const auto answer = run(&verb::query_device, {}, VRDMA_NO_HANDLE);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->max_qp, 12U);
    EXPECT_EQ(answer->max_cq, 1000U);
}

}  // namespace
}  // namespace vrdma::device
