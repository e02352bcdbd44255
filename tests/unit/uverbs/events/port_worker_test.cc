// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Doorbells and events of one guest.
#include <fcntl.h>
#include <infiniband/verbs.h>

#include <gmock/gmock.h>

#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using rnic::AsyncEventType;
using testing::ElementsAre;

class UverbsWorker : public GuestTest {
  protected:
    // The port ends before the doorbells, as it does in the device.
    void TearDown() override {
        qp.reset();
        cq.reset();
        pd.reset();
        context.reset();
        port.reset();
    }
    void SetUp() override {
        config.spin = spin;
        GuestTest::SetUp();
        port->set_doorbells(doorbells.area(), doorbells.notify_fd());
        pd = make_pd();
        cq = make_cq(5, 1);
        qp = make_qp(7, *pd, *cq);
    }

    // Does as the driver: arms, rings when it has to, and waits until it may return.
    void arm(uint32_t bits, uint32_t watched) {
        if (doorbells.arm(5, bits, watched)) {
            doorbells.ring_cq(5);
            ASSERT_TRUE(eventually([&] { return (doorbells.arming(5) & watched) != 0; }));
        }
    }
    void arm_next() { arm(VRDMA_CQ_ARM_NEXT, VRDMA_CQ_WATCHED_NEXT); }

    std::chrono::microseconds spin{0};
    Doorbells doorbells;
    Doorbells others;
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::unique_ptr<rnic::CompletionQueue> cq;
    std::unique_ptr<rnic::QueuePair> qp;
};

class SpinningWorker : public UverbsWorker {
  protected:
    SpinningWorker() { spin = std::chrono::hours{24}; }
};

TEST_F(UverbsWorker, ADoorbellReachesTheQueuePairInTheKernel) {
    doorbells.ring_qp(7);
    ASSERT_TRUE(kernel.wait_for_rings(1));
    EXPECT_EQ(kernel.rings(7), 1u);
}

TEST_F(UverbsWorker, WhatWasPostedBeforeIsSentBeforeAQueuePairStopsSending) {
    rnic::Udata none;
    rnic::QpAttributes attributes;
    for (const uint8_t state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        attributes.qp_state = state;
        ASSERT_TRUE(qp->modify(IBV_QP_STATE, attributes, none));
    }
    EXPECT_EQ(kernel.rings(7), 0u) << "nothing can have been posted";
    attributes.qp_state = IBV_QPS_ERR;
    ASSERT_TRUE(qp->modify(IBV_QP_STATE, attributes, none));
    EXPECT_EQ(kernel.rings(7), 1u);
    qp.reset();
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_POST_SEND), 2u);
}

TEST_F(UverbsWorker, WhatWasPostedBeforeCountsForTheNewSizeOfItsCq) {
    auto other_cq = make_cq(6);
    auto other = make_qp(8, *pd, *other_cq);
    TestUdata bytes(0, 16);
    auto udata = bytes.udata();
    uint32_t cqe = 10;
    ASSERT_TRUE(cq->resize(cqe, udata));
    EXPECT_EQ(kernel.rings(7), 1u);
    EXPECT_EQ(kernel.rings(8), 0u) << "its completions go elsewhere";
    other.reset();
    ASSERT_TRUE(other_cq->resize(cqe, udata));
}

TEST_F(UverbsWorker, WhatWasPostedBeforeKeepsItsAddressHandle) {
    rnic::AhAttributes attributes;
    attributes.dgid = gid("10.9.0.2");
    attributes.port = 1;
    for (size_t i = 1; i <= 100; ++i) {
        TestUdata bytes(0, 8);
        auto udata = bytes.udata();
        auto ah = context->create_ah(*pd, attributes, udata).value();
        const size_t destroyed = kernel.count(IB_USER_VERBS_CMD_DESTROY_AH);
        kernel.during_post_send = [&] {
            EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_DESTROY_AH), destroyed);
        };
        doorbells.ring_qp(7);
        ah.reset();
        EXPECT_EQ(kernel.rings(7), i);
        EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_DESTROY_AH), destroyed + 1);
        kernel.during_post_send = nullptr;
    }
}

TEST_F(UverbsWorker, AnAddressHandleThatNothingWasPostedWithGoesAtOnce) {
    rnic::AhAttributes attributes;
    attributes.dgid = gid("10.9.0.2");
    attributes.port = 1;
    TestUdata bytes(0, 8);
    auto udata = bytes.udata();
    context->create_ah(*pd, attributes, udata).value().reset();
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_POST_SEND), 0u);
}

TEST_F(UverbsWorker, ASleepingWorkerIsNotified) {
    ASSERT_TRUE(eventually([&] { return !doorbells.polling(); }));
    EXPECT_TRUE(doorbells.ring_qp(7));
    EXPECT_TRUE(kernel.wait_for_rings(1));
}

TEST_F(SpinningWorker, ALookingWorkerNeedsNoNotification) {
    ASSERT_TRUE(eventually([&] { return doorbells.polling(); }));
    for (size_t i = 1; i <= 100; ++i) {
        EXPECT_FALSE(doorbells.ring_qp(7));
        ASSERT_TRUE(kernel.wait_for_rings(i));
    }
}

TEST_F(SpinningWorker, StillReadsEvents) {
    arm_next();
    ASSERT_TRUE(kernel.complete(5));
    EXPECT_THAT(sink.completions(1), ElementsAre(RecordingSink::Completion{1, 5}));
}

TEST_F(UverbsWorker, DoorbellsOfNobodyAreHarmless) {
    doorbells.ring_qp(8);
    doorbells.ring_cq(9);
    doorbells.ring_qp(VRDMA_DB_MAX_HANDLES - 1);
    doorbells.ring_cq(VRDMA_DB_MAX_HANDLES - 1);
    doorbells.ring_qp(7);
    ASSERT_TRUE(kernel.wait_for_rings(1));
    EXPECT_EQ(kernel.rings(7), 1u);
}

TEST_F(UverbsWorker, AnArmedCqIsArmedInTheKernelBeforeTheDriverReturns) {
    arm_next();
    EXPECT_TRUE(kernel.is_armed(5));
}

TEST_F(UverbsWorker, ACompletionReachesTheGuestsVectorAndHandle) {
    arm_next();
    ASSERT_TRUE(kernel.complete(5));
    EXPECT_THAT(sink.completions(1), ElementsAre(RecordingSink::Completion{1, 5}));
}

TEST_F(UverbsWorker, EachArmingGetsOneEvent) {
    for (size_t i = 1; i <= 50; ++i) {
        arm_next();
        ASSERT_TRUE(kernel.complete(5));
        ASSERT_EQ(sink.completions(i).size(), i);
    }
}

TEST_F(UverbsWorker, ASecondArmingNeedsNoSystemCall) {
    arm_next();
    ASSERT_TRUE(kernel.complete(5));
    ASSERT_EQ(sink.completions(1).size(), 1u);
    EXPECT_FALSE(doorbells.arm(5, VRDMA_CQ_ARM_NEXT, VRDMA_CQ_WATCHED_NEXT));
    ASSERT_TRUE(kernel.complete(5));
    EXPECT_EQ(sink.completions(2).size(), 2u);
}

TEST_F(UverbsWorker, ACompletionThatNobodyWaitsForIsTheLastThatIsReported) {
    arm_next();
    ASSERT_TRUE(kernel.complete(5));
    ASSERT_EQ(sink.completions(1).size(), 1u);
    ASSERT_TRUE(kernel.complete(5)) << "the watch goes on";
    EXPECT_TRUE(eventually([&] { return doorbells.arming(5) == VRDMA_CQ_NOT_ARMED; }));
    EXPECT_FALSE(kernel.is_armed(5));
    EXPECT_EQ(sink.completions(1).size(), 1u);
}

TEST_F(UverbsWorker, ASolicitedArmingWaitsForASolicitedCompletion) {
    arm(VRDMA_CQ_ARM_SOLICITED, VRDMA_CQ_WATCHED_SOLICITED);
    EXPECT_FALSE(kernel.complete(5, false));
    EXPECT_TRUE(kernel.complete(5, true));
    EXPECT_EQ(sink.completions(1).size(), 1u);
}

TEST_F(UverbsWorker, ACqThatCannotBeArmedIsInError) {
    kernel.refuse(IB_USER_VERBS_CMD_REQ_NOTIFY_CQ, EIO);
    arm_next();
    EXPECT_THAT(sink.events(1), ElementsAre(RecordingSink::Event{AsyncEventType::kCqError, 5}));
}

TEST_F(UverbsWorker, ANewCqInheritsNoArming) {
    arm_next();
    qp.reset();
    cq.reset();
    cq = make_cq(5);
    EXPECT_EQ(doorbells.arming(5), uint32_t{VRDMA_CQ_NOT_ARMED});
}

TEST_F(UverbsWorker, EventsOfObjectsCarryTheGuestsHandles) {
    kernel.report(IBV_EVENT_QP_FATAL, 7);
    kernel.report(IBV_EVENT_CQ_ERR, 5);
    kernel.report(IBV_EVENT_SRQ_LIMIT_REACHED, 3);
    kernel.report(IBV_EVENT_QP_LAST_WQE_REACHED, 7);
    EXPECT_THAT(sink.events(4),
                ElementsAre(RecordingSink::Event{AsyncEventType::kQpFatal, 7},
                            RecordingSink::Event{AsyncEventType::kCqError, 5},
                            RecordingSink::Event{AsyncEventType::kSrqLimitReached, 3},
                            RecordingSink::Event{AsyncEventType::kQpLastWqeReached, 7}));
}

TEST_F(UverbsWorker, AnEventOfThePortIsReportedOnce) {
    TestUdata none;
    auto udata = none.udata();
    auto second = port->alloc_context(udata).value();
    kernel.report(IBV_EVENT_PORT_ERR, 1);
    kernel.report(IBV_EVENT_PORT_ERR, 2);
    ASSERT_EQ(sink.events(1).size(), 1u);
    kernel.report(IBV_EVENT_PORT_ACTIVE, 1);
    EXPECT_THAT(sink.events(2), ElementsAre(RecordingSink::Event{AsyncEventType::kPortError, 1},
                                            RecordingSink::Event{AsyncEventType::kPortActive, 1}));
}

TEST_F(UverbsWorker, DoorbellsThatWereRungBeforeAreFound) {
    others.ring_qp(7);
    port->set_doorbells(others.area(), others.notify_fd());
    EXPECT_TRUE(kernel.wait_for_rings(1));
}

TEST_F(UverbsWorker, AnAreaThatWasTakenBackIsNotTouchedAnyMore) {
    port->set_doorbells(nullptr, -1);
    EXPECT_FALSE(doorbells.polling());
    doorbells.ring_qp(7);
    port->set_doorbells(others.area(), others.notify_fd());
    others.ring_qp(7);
    ASSERT_TRUE(kernel.wait_for_rings(1));
    EXPECT_EQ(kernel.rings(7), 1u);
    EXPECT_NE(doorbells.area()->qp.root, 0u);
}

// epoll refuses a device such as /dev/null, as it does any descriptor when memory or the user's
// watches have run out.
TEST_F(UverbsWorker, DoorbellsThatCannotBeWaitedForAreFoundAllTheSame) {
    const FileDescriptor refused(::open("/dev/null", O_RDWR | O_CLOEXEC));
    port->set_doorbells(doorbells.area(), refused.get());
    for (size_t rings = 1; rings <= 3; ++rings) {
        ASSERT_TRUE(eventually([&] { return !doorbells.polling(); }));
        doorbells.ring_qp(7);
        EXPECT_TRUE(kernel.wait_for_rings(rings));
    }
    port->set_doorbells(nullptr, -1);  // the descriptor must last until here
}

TEST_F(UverbsWorker, AGuestWithoutADoorbellQueueIsStillLookedAtWhileTheWorkerIsAwake) {
    port->set_doorbells(doorbells.area(), -1);
    doorbells.ring_qp(7);
    // Any event wakes the worker.
    kernel.report(IBV_EVENT_COMM_EST, 7);
    EXPECT_TRUE(kernel.wait_for_rings(1));
}

class MappedArming : public GuestTest {
  protected:
    MappedArming() {
        host.driver_id = RDMA_DRIVER_SIW;
        host.uverbs_abi_version = 1;
        kernel.complete_when_armed = false;
    }
    void SetUp() override {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
        TestUdata bytes(0, 8);
        auto udata = bytes.udata();
        context = port->alloc_context(udata).value();
    }
};

TEST_F(MappedArming, EveryCompletionThatTheKernelReportsIsTheGuests) {
    auto cq = make_cq(5);
    ASSERT_TRUE(kernel.complete(5));
    ASSERT_TRUE(kernel.complete(5));
    EXPECT_EQ(sink.completions(2).size(), 2u);
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_REQ_NOTIFY_CQ), 0u);
}

class MappedDoorbells : public GuestTest {
  protected:
    MappedDoorbells() {
        host.driver_id = RDMA_DRIVER_MLX5;
        host.uverbs_abi_version = 1;
        config.spin = std::chrono::hours{24};
    }
    void SetUp() override {
        make_rnic();
        port = rnic->open_port("alice", sink).value();
    }
    void TearDown() override { port.reset(); }
    Doorbells doorbells;
};

TEST_F(MappedDoorbells, AreNotLookedForByTheWorker) {
    port->set_doorbells(doorbells.area(), doorbells.notify_fd());
    EXPECT_FALSE(doorbells.polling());
}

}  // namespace
}  // namespace vrdma::uverbs
