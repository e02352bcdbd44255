// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The commands that the verbs of a guest become, and the objects that the kernel has then.
#include <endian.h>
#include <gmock/gmock.h>
#include <infiniband/verbs.h>
#include <rdma/mlx5-abi.h>

#include <cstring>

#include "budget.h"
#include "unit/uverbs/fakes/fake_netdev.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using testing::HasSubstr;
using testing::Not;

class UverbsObjects : public GuestTest {
  protected:
    Result<void> modify(rnic::QueuePair& qp, uint32_t mask, const rnic::QpAttributes& attributes) {
        TestUdata none;
        auto udata = none.udata();
        return qp.modify(mask, attributes, udata);
    }
    // An address vector to another host's guest, to bare metal or (default) to nobody that is
    // known.
    static rnic::QpAttributes to(const std::string& peer) {
        rnic::QpAttributes attributes;
        attributes.ah.port = 1;
        attributes.ah.sgid_index = 0;
        attributes.ah.dgid = gid(peer);
        return attributes;
    }
};

TEST_F(UverbsObjects, EachUserContextIsAFileOfItsOwn) {
    EXPECT_EQ(kernel.open_files(), 2u) << "the daemon's own, and alice's";
    TestUdata none;
    auto udata = none.udata();
    auto second = port->alloc_context(udata).value();
    EXPECT_EQ(kernel.open_files(), 3u);
    second.reset();
    EXPECT_EQ(kernel.open_files(), 2u);
}

TEST_F(UverbsObjects, AContextThatTheKernelRefusesLeavesNothing) {
    TestUdata none;
    auto udata = none.udata();
    kernel.refuse(IB_USER_VERBS_CMD_CREATE_COMP_CHANNEL, EMFILE);
    EXPECT_EQ(port->alloc_context(udata).error(), Errno{EMFILE});
    kernel.refuse(IB_USER_VERBS_CMD_GET_CONTEXT, ENOMEM);
    EXPECT_EQ(port->alloc_context(udata).error(), Errno{ENOMEM});
    kernel.break_event_file();
    EXPECT_EQ(port->alloc_context(udata).error(), Errno{EPERM}) << "epoll_ctl(2)";
    kernel.refuse_open(EACCES);
    EXPECT_EQ(port->alloc_context(udata).error(), Errno{EACCES});
    EXPECT_EQ(kernel.open_files(), 2u);
}

TEST_F(UverbsObjects, RingsInMemoryOfTheKernelAreChargedUntilTheyAreGone) {
    LimitLog limit_log{"alice", logger};
    Budget bytes{"ring_bytes", "bytes of rings", 1 << 20, limit_log};
    port->set_budgets({.ring_bytes = &bytes});
    TestUdata none;
    auto udata = none.udata();
    rnic::CqAttributes attributes{.cqe = 100, .comp_vector = 0, .flags = 0};
    auto cq = context->create_cq(1, attributes, udata).value();
    const uint64_t small = bytes.used();
    EXPECT_EQ(small, 128U * 64);
    uint32_t cqe = 300;
    ASSERT_TRUE(cq->resize(cqe, udata));
    EXPECT_EQ(bytes.used(), 4 * small);
    cqe = 1000000;
    EXPECT_EQ(cq->resize(cqe, udata).error(), Errno{EDQUOT});
    EXPECT_EQ(bytes.used(), 4 * small);
    bytes.set_limit(bytes.used());
    EXPECT_EQ(context->create_cq(2, attributes, udata).error(), Errno{EDQUOT});
    EXPECT_EQ(kernel.live(Kind::kCq), 1U) << "the kernel has the one that was refused no more";
    cq.reset();
    EXPECT_EQ(bytes.used(), 0U);
}

TEST_F(UverbsObjects, APrivateByteTooManyReachesNoKernel) {
    TestUdata bytes(4);
    auto udata = bytes.udata();
    EXPECT_EQ(context->alloc_pd(udata).error(), Errno{EINVAL});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_ALLOC_PD), 0u);
    EXPECT_THAT(log.str(), HasSubstr("alice: command 0x"));
}

TEST_F(UverbsObjects, ObjectsGoWithTheirOwners) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto srq = make_srq(*pd);
    auto qp = make_qp(2, *pd, *cq);
    EXPECT_EQ(kernel.live(Kind::kQp), 1u);
    qp.reset();
    srq.reset();
    cq.reset();
    pd.reset();
    for (const Kind kind : {Kind::kPd, Kind::kCq, Kind::kSrq, Kind::kQp}) {
        EXPECT_EQ(kernel.live(kind), 0u);
    }
    EXPECT_EQ(kernel.busy_destructions(), 0u);
}

TEST_F(UverbsObjects, ACqIsKnownToTheKernelByTheGuestsHandle) {
    kernel.answer(IB_USER_VERBS_CMD_CREATE_CQ, {std::byte{0xaa}, std::byte{0xbb}});
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    rnic::CqAttributes attributes{.cqe = 100, .comp_vector = 0, .flags = 0};
    auto cq = context->create_cq(41, attributes, udata);
    ASSERT_TRUE(cq);
    const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_CQ).as<ib_uverbs_create_cq>();
    EXPECT_EQ(request.user_handle, 41u);
    EXPECT_EQ(request.cqe, 100u);
    EXPECT_EQ(attributes.cqe, 127u) << "what the kernel made";
    EXPECT_EQ(udata.out_written, 16u);
    EXPECT_EQ(bytes.out[1], std::byte{0xbb});
}

TEST_F(UverbsObjects, ACqIsResizedWithPrivateBytes) {
    auto cq = make_cq(1);
    kernel.answer(IB_USER_VERBS_CMD_RESIZE_CQ, {std::byte{0xcc}});
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    uint32_t cqe = 300;
    ASSERT_TRUE(cq->resize(cqe, udata));
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_RESIZE_CQ).as<ib_uverbs_resize_cq>().cqe, 300u);
    EXPECT_EQ(cqe, 511u) << "what the kernel made";
    EXPECT_EQ(udata.out_written, 16u);
    EXPECT_EQ(bytes.out[0], std::byte{0xcc}) << "where the new queue is to be mapped";
}

TEST_F(UverbsObjects, ACqThatTheKernelDoesNotResizeIsAsItWas) {
    auto cq = make_cq(1);
    kernel.refuse(IB_USER_VERBS_CMD_RESIZE_CQ, EINVAL);
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    uint32_t cqe = 3;
    EXPECT_EQ(cq->resize(cqe, udata).error(), Errno{EINVAL});
    EXPECT_EQ(cqe, 3u);
    EXPECT_EQ(udata.out_written, 0u);
}

TEST_F(UverbsObjects, ACompletionVectorIsOneThatTheRnicHas) {
    auto cq = make_cq(1, 5);
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_CREATE_CQ).as<ib_uverbs_create_cq>().comp_vector, 1u);
}

TEST_F(UverbsObjects, ACqWithFlagsTakesTheExtendedCommand) {
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    rnic::CqAttributes attributes{
        .cqe = 10, .comp_vector = 0, .flags = IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN};
    ASSERT_TRUE(context->create_cq(1, attributes, udata));
    const auto request = kernel.last(FakeKernel::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ))
                             .as<ib_uverbs_ex_create_cq>();
    EXPECT_EQ(request.flags, uint32_t{IB_UVERBS_CQ_FLAGS_IGNORE_OVERRUN});
}

TEST_F(UverbsObjects, AHandleWithoutAPlaceInTheDoorbellAreaIsInvalid) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    rnic::CqAttributes attributes{.cqe = 10, .comp_vector = 0, .flags = 0};
    EXPECT_EQ(context->create_cq(VRDMA_DB_MAX_HANDLES, attributes, udata).error(), Errno{EINVAL});
    TestUdata qp_bytes(0, 32);
    auto qp_udata = qp_bytes.udata();
    auto init = qp_init(*pd, *cq);
    EXPECT_EQ(context->create_qp(VRDMA_DB_MAX_HANDLES, init, qp_udata).error(), Errno{EINVAL});
}

TEST_F(UverbsObjects, AQueuePairHasTheRnicsNumberAndCapabilities) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto srq = make_srq(*pd);
    TestUdata bytes(0, 32);
    auto udata = bytes.udata();
    auto init = qp_init(*pd, *cq);
    init.srq = srq.get();
    init.sq_sig_all = true;
    auto qp = context->create_qp(3, init, udata);
    ASSERT_TRUE(qp);
    const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_QP).as<ib_uverbs_create_qp>();
    EXPECT_EQ(request.user_handle, 3u);
    EXPECT_EQ(request.send_cq_handle, request.recv_cq_handle);
    EXPECT_EQ(request.is_srq, 1);
    EXPECT_EQ(request.sq_sig_all, 1);
    EXPECT_EQ(request.qp_type, IB_UVERBS_QPT_RC);
    EXPECT_EQ(request.max_inline_data, 32u);
    EXPECT_GT((*qp)->qp_num(), 0x10000u);
    EXPECT_EQ(init.cap.max_send_wr, 63u);
}

TEST_F(UverbsObjects, AQueuePairThatHearsNoGroupMessagesOfItsOwnTakesTheExtendedCommand) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto srq = make_srq(*pd);
    TestUdata bytes(0, 32);
    auto udata = bytes.udata();
    auto init = qp_init(*pd, *cq);
    init.srq = srq.get();
    init.qp_type = IB_UVERBS_QPT_UD;
    init.create_flags = IB_UVERBS_QP_CREATE_BLOCK_MULTICAST_LOOPBACK;
    auto qp = context->create_qp(3, init, udata);
    ASSERT_TRUE(qp);
    const auto request = kernel.last(FakeKernel::extended(IB_USER_VERBS_EX_CMD_CREATE_QP))
                             .as<ib_uverbs_ex_create_qp>();
    EXPECT_EQ(request.create_flags, uint32_t{IB_UVERBS_QP_CREATE_BLOCK_MULTICAST_LOOPBACK});
    EXPECT_EQ(request.user_handle, 3u);
    EXPECT_EQ(request.is_srq, 1);
    EXPECT_EQ(request.qp_type, IB_UVERBS_QPT_UD);
    EXPECT_EQ(request.max_inline_data, 32u);
    EXPECT_GT((*qp)->qp_num(), 0x10000u);
    EXPECT_EQ(init.cap.max_send_wr, 63u);
}

TEST_F(UverbsObjects, QueuePairsThatOnlyPrivilegedUsersMayHaveAreNotForwarded) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    TestUdata bytes(0, 32);
    for (const uint8_t type : {IB_UVERBS_QPT_RAW_PACKET, IB_UVERBS_QPT_XRC_INI,
                               IB_UVERBS_QPT_XRC_TGT, IB_UVERBS_QPT_DRIVER}) {
        auto udata = bytes.udata();
        auto init = qp_init(*pd, *cq);
        init.qp_type = type;
        EXPECT_EQ(context->create_qp(3, init, udata).error(), Errno{EOPNOTSUPP}) << int{type};
    }
    auto udata = bytes.udata();
    auto init = qp_init(*pd, *cq);
    init.create_flags = IB_UVERBS_QP_CREATE_SCATTER_FCS;
    EXPECT_EQ(context->create_qp(3, init, udata).error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_CREATE_QP), 0u);
}

TEST_F(UverbsObjects, AnAddressVectorIsTranslatedToTheUnderlay) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes = to("10.9.0.7");
    attributes.qp_state = IBV_QPS_RTR;
    attributes.dest_qp_num = 99;
    ASSERT_TRUE(modify(*qp, IBV_QP_STATE | IBV_QP_AV | IBV_QP_DEST_QPN, attributes)) << log.str();
    const auto request = kernel.last(IB_USER_VERBS_CMD_MODIFY_QP).as<ib_uverbs_modify_qp>();
    EXPECT_EQ(request.dest.sgid_index, 3) << "the host's, whose address the peer sees";
    EXPECT_THAT(request.dest.dgid, testing::ElementsAreArray(gid("10.9.0.7")));
    EXPECT_EQ(request.dest.is_global, 1);
    EXPECT_EQ(request.dest_qp_num, 99u);
    EXPECT_EQ(request.qp_state, IBV_QPS_RTR);
}

class UverbsAnnouncement : public UverbsObjects {
  protected:
    void SetUp() override {
        config.addresses.guests["alice"].announced = gid("fe80::a1");
        netdev = fake_netdev.netdev();
        UverbsObjects::SetUp();
        pd = make_pd();
        cq = make_cq(1);
    }
    // The RNIC withdraws what it announced, from a netdev that is there.
    void TearDown() override {
        cq.reset();
        pd.reset();
        context.reset();
        port.reset();
        rnic.reset();
    }

    // Brings a queue pair of this type to INIT.
    std::unique_ptr<rnic::QueuePair> make_initialized(uint8_t type) {
        TestUdata bytes(0, 32);
        auto udata = bytes.udata();
        auto init = qp_init(*pd, *cq);
        init.qp_type = type;
        auto qp = context->create_qp(2, init, udata).value();
        EXPECT_TRUE(to_state(*qp, IBV_QPS_INIT));
        return qp;
    }
    Result<void> to_state(rnic::QueuePair& qp, uint8_t state) {
        rnic::QpAttributes attributes;
        attributes.qp_state = state;
        return modify(qp, IBV_QP_STATE, attributes);
    }

    FakeNetdev fake_netdev{sysfs};
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::unique_ptr<rnic::CompletionQueue> cq;
};

TEST_F(UverbsAnnouncement, TheGuestIsReachableAsSoonAsItsDatagramsAreReceived) {
    const auto qp = make_initialized(IBV_QPT_UD);
    EXPECT_FALSE(fake_netdev.has("fe80::a1"));
    EXPECT_TRUE(to_state(*qp, IBV_QPS_RTR));
    EXPECT_TRUE(fake_netdev.has("fe80::a1"));
}

TEST_F(UverbsObjects, AGuestSeesItsOwnAddressesAgain) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes = to("10.9.0.7");
    attributes.ah.hop_limit = 17;
    ASSERT_TRUE(modify(*qp, IBV_QP_AV, attributes));
    const auto queried = qp->query();
    ASSERT_TRUE(queried);
    EXPECT_EQ(queried->ah.sgid_index, 0);
    EXPECT_EQ(queried->ah.hop_limit, 17);
    EXPECT_EQ(queried->port, 1);
    EXPECT_EQ(queried->cap.max_send_wr, 63u);
}

TEST_F(UverbsObjects, APeerThatNobodyKnowsIsUnreachable) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    EXPECT_EQ(modify(*qp, IBV_QP_AV, to("10.77.0.9")).error(), Errno{ENETUNREACH});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_MODIFY_QP), 0u);
    EXPECT_THAT(log.str(), HasSubstr("10.77.0.9"));
}

TEST_F(UverbsObjects, AlternatePathsAreNotForwarded) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    EXPECT_EQ(modify(*qp, IBV_QP_ALT_PATH, {}).error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_MODIFY_QP), 0u);
}

TEST_F(UverbsObjects, AGuestHasOnePort) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes;
    attributes.port = 2;
    EXPECT_EQ(modify(*qp, IBV_QP_PORT, attributes).error(), Errno{EINVAL});
    attributes.port = 1;
    EXPECT_TRUE(modify(*qp, IBV_QP_PORT, attributes));
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_MODIFY_QP).as<ib_uverbs_modify_qp>().port_num, 1);
}

TEST_F(UverbsObjects, ControlledQKeysAreNotForGuests) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes;
    attributes.qkey = 0x80010000;  // the subnet managers' Q_Key
    EXPECT_EQ(modify(*qp, IBV_QP_QKEY, attributes).error(), Errno{EPERM});
    attributes.qkey = 0x11111111;
    EXPECT_TRUE(modify(*qp, IBV_QP_QKEY, attributes));
}

TEST_F(UverbsObjects, ARateLimitTakesTheExtendedCommand) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    auto qp = make_qp(2, *pd, *cq);
    rnic::QpAttributes attributes;
    attributes.rate_limit = 1000;
    ASSERT_TRUE(modify(*qp, IBV_QP_RATE_LIMIT, attributes));
    const auto request = kernel.last(FakeKernel::extended(IB_USER_VERBS_EX_CMD_MODIFY_QP))
                             .as<ib_uverbs_ex_modify_qp>();
    EXPECT_EQ(request.rate_limit, 1000u);
}

TEST_F(UverbsObjects, AnSrqOfRxeGrowsButDoesNotShrink) {
    auto pd = make_pd();
    auto srq = make_srq(*pd);
    rnic::Udata udata;
    const auto resize = [&](uint32_t max_wr) {
        return srq->modify(IBV_SRQ_MAX_WR, {.max_wr = max_wr, .max_sge = 0, .srq_limit = 0}, udata);
    };
    EXPECT_TRUE(resize(200));
    EXPECT_EQ(resize(199).error(), Errno{EINVAL});
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_MODIFY_SRQ).as<ib_uverbs_modify_srq>().max_wr, 200u);
    EXPECT_TRUE(resize(200));
}

TEST_F(UverbsObjects, AnSrqIsModifiedAndQueried) {
    auto pd = make_pd();
    auto srq = make_srq(*pd, 12);
    EXPECT_EQ(kernel.last(IB_USER_VERBS_CMD_CREATE_SRQ).as<ib_uverbs_create_srq>().user_handle,
              12u);
    TestUdata none;
    auto udata = none.udata();
    ASSERT_TRUE(srq->modify(IBV_SRQ_LIMIT, {.max_wr = 0, .max_sge = 0, .srq_limit = 7}, udata));
    const auto request = kernel.last(IB_USER_VERBS_CMD_MODIFY_SRQ).as<ib_uverbs_modify_srq>();
    EXPECT_EQ(request.attr_mask, uint32_t{IBV_SRQ_LIMIT});
    EXPECT_EQ(request.srq_limit, 7u);
    EXPECT_EQ(srq->query()->srq_limit, 7u);
}

TEST_F(UverbsObjects, AnAddressHandleIsTranslatedToTheUnderlay) {
    auto pd = make_pd();
    TestUdata bytes(0, 8);
    auto udata = bytes.udata();
    rnic::AhAttributes attributes = to("10.9.0.8").ah;
    attributes.traffic_class = 5;
    auto ah = context->create_ah(*pd, attributes, udata);
    ASSERT_TRUE(ah);
    const auto request = kernel.last(IB_USER_VERBS_CMD_CREATE_AH).as<ib_uverbs_create_ah>();
    EXPECT_EQ(request.attr.grh.sgid_index, 3);
    EXPECT_EQ(request.attr.grh.traffic_class, 5);
    EXPECT_EQ(request.attr.port_num, 1);
    EXPECT_EQ(request.attr.is_global, 1);
    attributes.dgid = gid("10.77.0.9");
    EXPECT_EQ(context->create_ah(*pd, attributes, udata).error(), Errno{ENETUNREACH});
}

TEST_F(UverbsObjects, AMappingIsTheFilesAtTheSameOffset) {
    const auto source = context->mmap(0x5000, 0x1000);
    ASSERT_TRUE(source);
    EXPECT_EQ(source->fd, 4711);
    EXPECT_EQ(source->offset, 0x5000u);
    EXPECT_EQ(context->mmap(0x5001, 0x1000).error(), Errno{EINVAL});
}

TEST_F(UverbsObjects, TheKernelsErrorIsTheGuests) {
    TestUdata none;
    auto udata = none.udata();
    kernel.refuse(IB_USER_VERBS_CMD_ALLOC_PD, ENOSPC);
    EXPECT_EQ(context->alloc_pd(udata).error(), Errno{ENOSPC});
}

TEST_F(UverbsObjects, WhatTheKernelDoesNotDestroyIsNamedInTheLog) {
    auto pd = make_pd();
    kernel.refuse(IB_USER_VERBS_CMD_DEALLOC_PD, EBUSY);
    pd.reset();
    EXPECT_THAT(log.str(), HasSubstr("does not destroy a protection domain"));
}

class Mlx5Objects : public GuestTest {
  protected:
    Mlx5Objects() {
        host.driver_id = RDMA_DRIVER_MLX5;
        host.uverbs_abi_version = 1;
    }
    void SetUp() override {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
        context = open(0).value();
    }
    Result<std::unique_ptr<rnic::Context>> open(uint32_t flags) {
        mlx5_ib_alloc_ucontext_req_v2 request{};
        request.flags = flags;
        TestUdata bytes;
        bytes.in.resize(sizeof(request));
        std::memcpy(bytes.in.data(), &request, sizeof(request));
        auto udata = bytes.udata();
        return port->alloc_context(udata);
    }
};

TEST_F(Mlx5Objects, WhatEachProgramTriesIsNoWarning) {
    EXPECT_EQ(open(MLX5_IB_ALLOC_UCTX_DEVX).error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(context->mmap(uint64_t{MLX5_IB_MMAP_CORE_CLOCK} << 20, 0x1000).error(),
              Errno{EOPNOTSUPP});
    EXPECT_THAT(log.str(), Not(HasSubstr("alice")));
}

TEST_F(Mlx5Objects, TheLibraryLearnsWhatGuestsHaveVerbsForOnly) {
    kernel.answer(FakeKernel::extended(IB_USER_VERBS_EX_CMD_QUERY_DEVICE),
                  std::vector(sizeof(mlx5_ib_query_device_resp), std::byte{0xff}));
    TestUdata bytes(0, sizeof(mlx5_ib_query_device_resp) + 64);
    auto udata = bytes.udata();
    ASSERT_TRUE(port->query_device(udata));
    EXPECT_EQ(udata.out_written, sizeof(mlx5_ib_query_device_resp));
    mlx5_ib_query_device_resp answer;
    std::memcpy(&answer, bytes.out.data(), sizeof(answer));
    EXPECT_EQ(answer.cqe_comp_caps.max_num, 0xffffffffu);
    EXPECT_EQ(answer.flags, uint32_t{MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_COMP |
                                     MLX5_IB_QUERY_DEV_RESP_FLAGS_CQE_128B_PAD |
                                     MLX5_IB_QUERY_DEV_RESP_PACKET_BASED_CREDIT_MODE});
    EXPECT_EQ(answer.tso_caps.max_tso, 0u);
    EXPECT_EQ(answer.striding_rq_caps.supported_qpts, 0u);
    EXPECT_EQ(answer.dci_streams_caps.max_log_num_concurent, 0);
}

// The driver's answer says how long it is.
TEST_F(Mlx5Objects, AnOlderLibrarysRoomIsTheKernels) {
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    ASSERT_TRUE(port->query_device(udata));
    EXPECT_EQ(udata.out_written, 16u);
    EXPECT_EQ(kernel.last(FakeKernel::extended(IB_USER_VERBS_EX_CMD_QUERY_DEVICE)).udata_out, 16u);
}

TEST_F(UverbsObjects, ADriverWithoutAPrivateAnswerIsNotAsked) {
    TestUdata bytes(0, 64);
    auto udata = bytes.udata();
    ASSERT_TRUE(port->query_device(udata));
    EXPECT_EQ(udata.out_written, 0u);
    EXPECT_EQ(kernel.count(FakeKernel::extended(IB_USER_VERBS_EX_CMD_QUERY_DEVICE)), 0u);
}

// libmlx5 copies the path from the address handle in its memory into each request.
class Mlx5AddressHandles : public Mlx5Objects {
  protected:
    void SetUp() override {
        sysfs.set_gid("rxe0", 2, "10.77.0.1");
        sysfs.set_gid("rxe0", 4, "10.77.0.2");
        config.addresses.peers.push_back({"", *parse_gid_prefix("10.77.0.9"), gid("10.9.0.8")});
        Mlx5Objects::SetUp();
        ASSERT_TRUE(port->add_gid(2, gid("10.77.0.1"), kRoceV2));
        ASSERT_TRUE(port->add_gid(3, gid("10.77.0.2"), kRoceV2));
        pd = make_pd();
    }
    int make(uint8_t sgid_index, const std::string& peer) {
        rnic::AhAttributes attributes{.dgid = gid(peer)};
        attributes.sgid_index = sgid_index;
        attributes.port = 1;
        TestUdata bytes(0, sizeof(mlx5_ib_create_ah_resp));
        auto udata = bytes.udata();
        auto ah = context->create_ah(*pd, attributes, udata);
        return ah ? 0 : to_int(ah.error());
    }
    std::unique_ptr<rnic::ProtectionDomain> pd;
};

TEST_F(Mlx5AddressHandles, ServeForAnAnnouncedAddressAtTheSameIndex) {
    EXPECT_EQ(make(2, "10.9.0.8"), 0);
}

TEST_F(Mlx5AddressHandles, AreRefusedWhereTheIndexIsAnothersOnTheHost) {
    EXPECT_EQ(make(3, "10.9.0.8"), EADDRNOTAVAIL);
    EXPECT_THAT(log.str(), HasSubstr("no datagrams from 10.77.0.2 (GID index 3) to 10.9.0.8"));
    EXPECT_THAT(log.str(), HasSubstr("from GID index 4"));
}

TEST_F(Mlx5AddressHandles, AreRefusedWhereThePeerHasAnotherNameInTheUnderlay) {
    EXPECT_EQ(make(2, "10.77.0.9"), EADDRNOTAVAIL);
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_CREATE_AH), 0u);
}

class SiwObjects : public GuestTest {
  protected:
    SiwObjects() {
        host.driver_id = RDMA_DRIVER_SIW;
        host.uverbs_abi_version = 1;
    }
    void SetUp() override {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
        TestUdata bytes(0, 8);
        auto udata = bytes.udata();
        context = port->alloc_context(udata).value();
    }
};

TEST_F(SiwObjects, HaveReliableConnectionsOnly) {
    auto pd = make_pd();
    auto cq = make_cq(1);
    TestUdata bytes(0, 32);
    auto udata = bytes.udata();
    auto init = qp_init(*pd, *cq);
    EXPECT_TRUE(context->create_qp(2, init, udata));
    init.qp_type = IB_UVERBS_QPT_UD;
    EXPECT_EQ(context->create_qp(3, init, udata).error(), Errno{EOPNOTSUPP});
}

TEST_F(SiwObjects, HaveNoAddressesOfTheirs) {
    auto pd = make_pd();
    TestUdata none;
    auto udata = none.udata();
    EXPECT_EQ(port->add_gid(0, gid("10.77.0.1"), kRoceV2).error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(context->create_ah(*pd, {.port = 1}, udata).error(), Errno{EOPNOTSUPP});
}

}  // namespace
}  // namespace vrdma::uverbs
