// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Objects that end while something else is going on.  Run these tests with the thread sanitizer,
// too.
#include <gmock/gmock.h>
#include <infiniband/verbs.h>

#include <thread>

#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using rnic::AsyncEventType;
using testing::ElementsAre;

class UverbsLifetime : public GuestTest {
  protected:
    void SetUp() override {
        GuestTest::SetUp();
        port->set_doorbells(doorbells.area(), doorbells.notify_fd());
        pd = make_pd();
    }
    void TearDown() override {
        pd.reset();
        context.reset();
        port.reset();
    }

    Doorbells doorbells;
    std::unique_ptr<rnic::ProtectionDomain> pd;
};

TEST_F(UverbsLifetime, AQueuePairIsDestroyedOnlyWhenNobodyRingsIt) {
    auto cq = make_cq(5);
    auto qp = make_qp(7, *pd, *cq);
    std::atomic<bool> ringing = false;
    std::atomic<bool> go_on = false;
    kernel.during_post_send = [&] {
        ringing = true;
        EXPECT_TRUE(eventually([&] { return go_on.load(); }));
    };
    doorbells.ring_qp(7);
    ASSERT_TRUE(eventually([&] { return ringing.load(); }));
    std::thread destroyer([&] { qp.reset(); });
    std::thread rung_meanwhile([&] { doorbells.ring_qp(7); });
    rung_meanwhile.join();
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_DESTROY_QP), 0u);
    go_on = true;
    destroyer.join();
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_DESTROY_QP), 1u);
    EXPECT_EQ(kernel.busy_destructions(), 0u);
}

TEST_F(UverbsLifetime, ObjectsComeAndGoUnderDoorbellsAndEvents) {
    std::atomic<bool> stop = false;
    std::thread guest([&] {
        while (!stop) {
            doorbells.ring_qp(7);
            doorbells.arm(5, VRDMA_CQ_ARM_NEXT, VRDMA_CQ_WATCHED_NEXT);
            doorbells.ring_cq(5);
            kernel.complete(5);
            kernel.report(IBV_EVENT_COMM_EST, 7);
        }
    });
    for (int i = 0; i < 200; ++i) {
        auto cq = make_cq(5);
        auto qp = make_qp(7, *pd, *cq);
        doorbells.ring_qp(7);
        qp.reset();
        cq.reset();
    }
    stop = true;
    guest.join();
    EXPECT_EQ(kernel.busy_destructions(), 0u);
    EXPECT_EQ(kernel.live(Kind::kQp), 0u);
    EXPECT_EQ(kernel.live(Kind::kCq), 0u);
}

TEST_F(UverbsLifetime, ContextsComeAndGoUnderEvents) {
    std::atomic<bool> stop = false;
    std::thread events([&] {
        while (!stop) {
            kernel.report(IBV_EVENT_COMM_EST, 7);
        }
    });
    for (int i = 0; i < 200; ++i) {
        TestUdata none;
        auto udata = none.udata();
        ASSERT_TRUE(port->alloc_context(udata));
    }
    stop = true;
    events.join();
    EXPECT_EQ(kernel.open_files(), 2u);
}

TEST_F(UverbsLifetime, DoorbellAreasComeAndGoUnderARingingGuest) {
    auto cq = make_cq(5);
    auto qp = make_qp(7, *pd, *cq);
    std::atomic<bool> stop = false;
    std::thread guest([&] {
        // At least once, also if the thread begins after the loop below.
        do {
            doorbells.ring_qp(7);
        } while (!stop);
    });
    for (int i = 0; i < 200; ++i) {
        port->set_doorbells(nullptr, -1);
        port->set_doorbells(doorbells.area(), doorbells.notify_fd());
    }
    stop = true;
    guest.join();
    EXPECT_TRUE(kernel.wait_for_rings(1));
}

TEST_F(UverbsLifetime, OneGuestsSlowQueueDelaysNoOther) {
    auto cq = make_cq(5);
    auto qp = make_qp(7, *pd, *cq);
    RecordingSink bobs;
    Doorbells bobs_doorbells;
    auto bobs_port = rnic->open_port("bob", bobs).value();
    bobs_port->set_doorbells(bobs_doorbells.area(), bobs_doorbells.notify_fd());
    std::atomic<bool> first = true;
    std::atomic<bool> stuck = false;
    std::atomic<bool> go_on = false;
    kernel.during_post_send = [&] {
        if (first.exchange(false)) {
            stuck = true;
            EXPECT_TRUE(eventually([&] { return go_on.load(); }));
        }
    };
    doorbells.ring_qp(7);
    ASSERT_TRUE(eventually([&] { return stuck.load(); }));

    auto alices_context = std::move(context);
    TestUdata none;
    auto udata = none.udata();
    context = bobs_port->alloc_context(udata).value();
    {
        auto bobs_pd = make_pd();
        auto bobs_cq = make_cq(6);
        auto bobs_qp = make_qp(8, *bobs_pd, *bobs_cq);
        bobs_doorbells.ring_qp(8);
        EXPECT_TRUE(kernel.wait_for_rings(1)) << "bob's";
    }
    context = std::move(alices_context);
    go_on = true;
    EXPECT_TRUE(kernel.wait_for_rings(2)) << "alice's";
    bobs_port.reset();
}

TEST_F(UverbsLifetime, ARemovedRnicIsADeadDeviceForEveryGuest) {
    RecordingSink bobs;
    auto bobs_port = rnic->open_port("bob", bobs).value();
    removal->pull();
    EXPECT_THAT(sink.events(1), ElementsAre(RecordingSink::Event{AsyncEventType::kDeviceFatal, 0}));
    EXPECT_THAT(bobs.events(1), ElementsAre(RecordingSink::Event{AsyncEventType::kDeviceFatal, 0}));
}

TEST_F(UverbsLifetime, AFatalErrorOfTheDeviceIsARemoval) {
    kernel.report(IBV_EVENT_DEVICE_FATAL, 0);
    EXPECT_THAT(sink.events(1), ElementsAre(RecordingSink::Event{AsyncEventType::kDeviceFatal, 0}));
}

TEST_F(UverbsLifetime, ARemovedRnicIsHeldByNobodyOnceTheGuestsLetGo) {
    auto cq = make_cq(5);
    auto qp = make_qp(7, *pd, *cq);
    removal->pull();
    ASSERT_EQ(sink.events(1).size(), 1u);
    EXPECT_EQ(kernel.open_files(), 1u) << "alice's; the daemon's own is closed";
    qp.reset();
    cq.reset();
    pd.reset();
    context.reset();
    EXPECT_EQ(kernel.open_files(), 0u);
}

TEST_F(UverbsLifetime, ARemovedRnicHasNoVerbs) {
    auto cq = make_cq(5);
    auto qp = make_qp(7, *pd, *cq);
    const size_t files = kernel.open_files();
    removal->pull();
    ASSERT_EQ(sink.events(1).size(), 1u);
    TestUdata none;
    auto udata = none.udata();
    EXPECT_EQ(port->alloc_context(udata).error(), Errno{ENODEV});
    EXPECT_EQ(context->alloc_pd(udata).error(), Errno{ENODEV});
    EXPECT_EQ(context->mmap(0, 4096).error(), Errno{ENODEV});
    EXPECT_EQ(qp->modify(0, {}, udata).error(), Errno{ENODEV});
    EXPECT_EQ(qp->query().error(), Errno{ENODEV});
    EXPECT_EQ(rnic->open_port("bob", sink).error(), Errno{ENODEV});
    EXPECT_EQ(port->query_port().state, uint32_t{IBV_PORT_DOWN});
    EXPECT_LT(kernel.open_files(), files);
}

}  // namespace
}  // namespace vrdma::uverbs
