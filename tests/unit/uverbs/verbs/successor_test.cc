// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest's objects in the daemon's successor: another RNIC on the same kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <infiniband/verbs.h>

#include "state/device.pb.h"
#include "state/files.h"
#include "unit/uverbs/fakes/fake_netdev.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using rnic::AsyncEventType;
using testing::ElementsAre;
using testing::Pair;

constexpr uint32_t kCq = 5;
constexpr uint32_t kQp = 7;
constexpr uint32_t kSrq = 9;

std::vector<FileDescriptor> copies(const state::FilesToSend& files) {
    std::vector<FileDescriptor> all;
    for (const int fd : files.all()) {
        all.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    }
    return all;
}

// The objects of the guest that one daemon has, each after those that it refers to.
struct Objects {
    std::unique_ptr<rnic::ProtectionDomain> pd;
    std::unique_ptr<rnic::CompletionQueue> cq;
    std::unique_ptr<rnic::SharedReceiveQueue> srq;
    std::unique_ptr<rnic::QueuePair> qp;
    std::unique_ptr<rnic::MemoryWindow> mw;
    std::unique_ptr<rnic::AddressHandle> ah;

    void drop() {
        ah.reset();
        mw.reset();
        qp.reset();
        srq.reset();
        cq.reset();
        pd.reset();
    }
};

// The successor.
struct Side : Objects {
    std::unique_ptr<rnic::Rnic> rnic;
    RecordingSink sink;
    std::unique_ptr<rnic::Port> port;
    std::unique_ptr<rnic::Context> context;

    void drop() {
        Objects::drop();
        context.reset();
        port.reset();
    }
};

class UverbsSuccessor : public GuestTest {
  protected:
    void SetUp() override {
        kernel.files_travel = true;
        GuestTest::SetUp();
        port->set_doorbells(doorbells.area(), doorbells.notify_fd());
        own.pd = make_pd();
        own.cq = make_cq(kCq);
        own.srq = make_srq(*own.pd, kSrq);
        TestUdata none;
        auto udata = none.udata();
        own.mw = context->alloc_mw(*own.pd, 1, udata).value();
        TestUdata bytes(0, 32);
        udata = bytes.udata();
        auto init = qp_init(*own.pd, *own.cq);
        init.srq = own.srq.get();
        own.qp = context->create_qp(kQp, init, udata).value();
        before = objects();
    }
    void TearDown() override {
        pause.reset();
        drop_predecessor();
    }

    void drop_predecessor() {
        own.drop();
        context.reset();
        port.reset();
    }

    std::vector<size_t> objects() const {
        return {kernel.live(Kind::kPd), kernel.live(Kind::kCq), kernel.live(Kind::kSrq),
                kernel.live(Kind::kQp), kernel.live(Kind::kMw)};
    }

    // The predecessor stands still from here on.
    void save() {
        pause = rnic->pause();
        saved_objects.mutable_contexts()->Add();
        ASSERT_TRUE(port->save(*saved_objects.mutable_port(), files));
        ASSERT_TRUE(context->save(*saved_objects.mutable_contexts(0), files));
        ASSERT_TRUE(own.pd->save(*saved_objects.add_pds()));
        auto& saved_cq = *saved_objects.add_cqs();
        saved_cq.set_handle(kCq);
        ASSERT_TRUE(own.cq->save(saved_cq));
        auto& saved_srq = *saved_objects.add_srqs();
        saved_srq.set_handle(kSrq);
        ASSERT_TRUE(own.srq->save(saved_srq));
        auto& saved_qp = *saved_objects.add_qps();
        saved_qp.set_handle(kQp);
        ASSERT_TRUE(own.qp->save(saved_qp));
        ASSERT_TRUE(own.mw->save(*saved_objects.add_mws()));
    }

    // The successor stands still as well, until the caller lets it go.
    std::unique_ptr<rnic::Rnic::Pause> restore(Side& side) {
        std::swap(rnic, side.rnic);
        make_rnic();
        std::swap(rnic, side.rnic);
        auto still = side.rnic->pause();
        state::ReceivedFiles received(copies(files));
        side.port = side.rnic->open_port("alice", side.sink).value();
        EXPECT_TRUE(side.port->restore(saved_objects.port(), received));
        side.context = side.port->restore_context(saved_objects.contexts(0), received).value();
        side.pd = side.context->restore_pd(saved_objects.pds(0)).value();
        side.cq = side.context->restore_cq(saved_objects.cqs(0)).value();
        side.srq = side.context->restore_srq(*side.pd, saved_objects.srqs(0)).value();
        rnic::Context::QpInit pointers;
        pointers.pd = side.pd.get();
        pointers.send_cq = pointers.recv_cq = side.cq.get();
        pointers.srq = side.srq.get();
        side.qp = side.context->restore_qp(pointers, saved_objects.qps(0)).value();
        side.mw = side.context->restore_mw(*side.pd, saved_objects.mws(0)).value();
        side.port->set_doorbells(doorbells.area(), doorbells.notify_fd());
        return still;
    }

    Doorbells doorbells;
    Objects own;  // the predecessor's
    std::unique_ptr<rnic::Rnic::Pause> pause;
    std::vector<size_t> before;
    state::Session saved_objects;
    state::FilesToSend files;
};

TEST_F(UverbsSuccessor, HasTheObjectsThatThePredecessorMade) {
    save();
    Side successor;
    auto still = restore(successor);
    drop_predecessor();
    EXPECT_EQ(objects(), before);
    still.reset();
    EXPECT_EQ(successor.qp->qp_num(), saved_objects.qps(0).uverbs().number());
    EXPECT_EQ(successor.mw->rkey(), saved_objects.mws(0).uverbs().rkey());
    EXPECT_TRUE(successor.qp->query());
    successor.drop();
    EXPECT_EQ(objects(), std::vector<size_t>(before.size(), 0));
}

TEST_F(UverbsSuccessor, GetsTheEventsThatHappenedBetween) {
    save();
    kernel.report(IBV_EVENT_SRQ_LIMIT_REACHED, kSrq);
    Side successor;
    restore(successor).reset();
    EXPECT_THAT(successor.sink.events(1),
                ElementsAre(Pair(AsyncEventType::kSrqLimitReached, kSrq)));
    EXPECT_EQ(sink.events(AsyncEventType::kSrqLimitReached, kSrq), 0u);
    drop_predecessor();
    successor.drop();
}

TEST_F(UverbsSuccessor, ReportsTheCompletionsOfCqsThatWereArmedBefore) {
    doorbells.arm(kCq, VRDMA_CQ_ARM_NEXT, VRDMA_CQ_WATCHED_NEXT);
    doorbells.ring_cq(kCq);
    ASSERT_TRUE(eventually([&] { return kernel.is_armed(kCq); }));
    save();
    ASSERT_TRUE(kernel.complete(kCq));
    Side successor;
    restore(successor).reset();
    EXPECT_THAT(successor.sink.completions(1), ElementsAre(Pair(0u, kCq)));
    drop_predecessor();
    successor.drop();
}

TEST_F(UverbsSuccessor, RingsWhatTheGuestRangBetween) {
    save();
    doorbells.ring_qp(kQp);
    Side successor;
    auto still = restore(successor);
    EXPECT_EQ(kernel.rings(kQp), 0u);
    still.reset();
    EXPECT_TRUE(kernel.wait_for_rings(1));
    drop_predecessor();
    successor.drop();
}

TEST_F(UverbsSuccessor, MakesNewObjectsInThePredecessorsContext) {
    save();
    Side successor;
    restore(successor).reset();
    drop_predecessor();
    std::swap(context, successor.context);
    auto another = make_cq(kCq + 1);
    EXPECT_EQ(kernel.live(Kind::kCq), before[1] + 1);
    another.reset();
    std::swap(context, successor.context);
    successor.drop();
}

TEST_F(UverbsSuccessor, ThatEndsBeforeItServesLeavesAllToThePredecessor) {
    save();
    {
        Side successor;
        auto still = restore(successor);
        successor.drop();
    }
    EXPECT_EQ(objects(), before);
    pause.reset();
    doorbells.ring_qp(kQp);
    EXPECT_TRUE(kernel.wait_for_rings(1));
    EXPECT_TRUE(own.qp->query());
}

TEST_F(UverbsSuccessor, LearnsThatThePortWentDownBetween) {
    save();
    kernel.port_attributes.state = IBV_PORT_DOWN;
    Side successor;
    restore(successor).reset();
    EXPECT_THAT(successor.sink.events(1), ElementsAre(Pair(AsyncEventType::kPortError, 1u)));
    drop_predecessor();
    successor.drop();
}

TEST_F(UverbsSuccessor, HasTheGuestsAddresses) {
    save();
    Side successor;
    restore(successor).reset();
    // The path needs the source that the guest had.
    rnic::AhAttributes attributes;
    attributes.dgid = gid("10.77.0.1");
    attributes.has_grh = true;
    attributes.port = rnic::kGuestPort;
    TestUdata none;
    auto udata = none.udata();
    EXPECT_TRUE(successor.context->create_ah(*successor.pd, attributes, udata));
    drop_predecessor();
    successor.drop();
}

TEST_F(UverbsSuccessor, RefusesFilesThatAreNoneOfTheDevices) {
    save();
    Side successor;
    std::swap(rnic, successor.rnic);
    make_rnic();
    std::swap(rnic, successor.rnic);
    successor.port = successor.rnic->open_port("alice", successor.sink).value();
    std::vector<FileDescriptor> wrong = copies(files);
    wrong[0] = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
    state::ReceivedFiles received(std::move(wrong));
    EXPECT_EQ(successor.port->restore_context(saved_objects.contexts(0), received).error(),
              Errno{EBADF});
    state::Context without = saved_objects.contexts(0);
    without.mutable_uverbs()->clear_async_events_file();
    state::ReceivedFiles again(copies(files));
    EXPECT_EQ(successor.port->restore_context(without, again).error(), Errno{EBADF});
}

TEST_F(UverbsSuccessor, RefusesObjectsOfAnotherRnic) {
    save();
    Side successor;
    auto still = restore(successor);
    state::Qp strange = saved_objects.qps(0);
    strange.mutable_embedded();
    rnic::Context::QpInit pointers;
    EXPECT_EQ(successor.context->restore_qp(pointers, strange).error(), Errno{EINVAL});
    strange = saved_objects.qps(0);
    strange.set_handle(VRDMA_DB_MAX_HANDLES);
    EXPECT_EQ(successor.context->restore_qp(pointers, strange).error(), Errno{EINVAL});
    state::Cq cq_of_none = saved_objects.cqs(0);
    cq_of_none.set_handle(VRDMA_DB_MAX_HANDLES);
    EXPECT_EQ(successor.context->restore_cq(cq_of_none).error(), Errno{EINVAL});
    still.reset();
    drop_predecessor();
    successor.drop();
}

// The machine has an address of its own on the RNIC's netdev.
class UverbsSuccessorAnnounced : public UverbsSuccessor {
  protected:
    UverbsSuccessorAnnounced() {
        config.addresses.guests["alice"].announced = gid(kOwn);
        netdev = host_netdev.netdev();
    }
    std::unique_ptr<rnic::AddressHandle> reach_somebody() {
        rnic::AhAttributes attributes;
        attributes.dgid = gid("10.9.0.5");
        attributes.has_grh = true;
        attributes.port = rnic::kGuestPort;
        TestUdata none;
        auto udata = none.udata();
        return context->create_ah(*own.pd, attributes, udata).value();
    }

    static constexpr const char* kOwn = "fe80::a1";
    FakeNetdev host_netdev{sysfs};
};

TEST_F(UverbsSuccessorAnnounced, TakesTheAddressAwayThatThePredecessorHasAnnounced) {
    own.ah = reach_somebody();
    ASSERT_TRUE(host_netdev.has(kOwn));
    save();
    netdev = host_netdev.netdev();
    Side successor;
    restore(successor).reset();
    drop_predecessor();
    EXPECT_TRUE(host_netdev.has(kOwn));
    successor.drop();
    EXPECT_FALSE(host_netdev.has(kOwn));
}

TEST_F(UverbsSuccessorAnnounced, ThatEndsBeforeItServesLeavesTheAddress) {
    own.ah = reach_somebody();
    save();
    netdev = host_netdev.netdev();
    {
        Side successor;
        auto still = restore(successor);
        successor.drop();
    }
    EXPECT_TRUE(host_netdev.has(kOwn));
}

TEST_F(UverbsSuccessorAnnounced, AnnouncesNoAddressThatNobodyHasNeeded) {
    save();
    netdev = host_netdev.netdev();
    Side successor;
    restore(successor).reset();
    EXPECT_FALSE(host_netdev.has(kOwn));
    drop_predecessor();
    successor.drop();
}

class UverbsWithoutIoctl : public GuestTest {
  protected:
    UverbsWithoutIoctl() { config.files_travel = false; }
};

TEST_F(UverbsWithoutIoctl, HandsNoContextOverAndSaysWhatWould) {
    state::Context saved;
    state::FilesToSend files;
    EXPECT_EQ(context->save(saved, files).error(), Errno{EOPNOTSUPP});
    EXPECT_THAT(log.str(), testing::HasSubstr("say hand_over = true in [rnic]"));
    EXPECT_TRUE(files.all().empty());
}

TEST(AdoptedFile, IsOneOfTheDevice) {
    KernelUverbsDevice device("/dev/null", RDMA_DRIVER_RXE);
    EXPECT_EQ(device.adopt(FileDescriptor(::open("/dev/zero", O_RDWR | O_CLOEXEC))).error(),
              Errno{EBADF});
    auto file = device.adopt(FileDescriptor(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    ASSERT_TRUE(file);
    EXPECT_EQ(execute(**file, {IB_USER_VERBS_CMD_DEALLOC_PD, ib_uverbs_dealloc_pd{1}}).error(),
              Errno{ENOTTY});
}

}  // namespace
}  // namespace vrdma::uverbs
