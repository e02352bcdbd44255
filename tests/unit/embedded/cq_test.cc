// SPDX-License-Identifier: Apache-2.0
// Completion queues: notification and overflow.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

using rnic::AsyncEventType;

class Completions : public TwoGuests {
  protected:
    Completions() { connect(a.qp, b.qp); }

    void send(bool solicited) {
        b.post_recv(1, 0, 16);
        SendWr wr = send_wr(0, 16);
        if (solicited) wr.flags |= kSendSolicited;
        a.qp.post_send(wr);
        settle();
    }
    unsigned notifications() { return b.guest.sink.completions(b.recv_cq.handle); }
};

TEST_F(Completions, AreSilentUnlessTheQueueIsArmed) {
    send(true);
    EXPECT_EQ(notifications(), 0u);
}

TEST_F(Completions, NotifyOncePerArming) {
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    send(false);
    send(false);
    EXPECT_EQ(notifications(), 1u);
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    send(false);
    EXPECT_EQ(notifications(), 2u);
}

TEST_F(Completions, ArmedForSolicitedOnesIgnoreTheOthers) {
    b.recv_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    send(false);
    EXPECT_EQ(notifications(), 0u);
    send(true);
    EXPECT_EQ(notifications(), 1u);
}

TEST_F(Completions, ArmedForSolicitedOnesNotifyOfErrorsToo) {
    a.send_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    SendWr bad = write_wr(0, 0, 16);
    bad.rkey = 0;
    a.qp.post_send(bad);
    settle();
    EXPECT_EQ(a.guest.sink.completions(a.send_cq.handle), 1u);
}

TEST_F(Completions, NameTheQueuesVector) {
    auto cq = b.guest.make_cq(15, 3);
    auto receiver = b.guest.make_qp(cq, cq);
    auto sender = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(sender, receiver);
    cq.arm(VRDMA_CQ_ARM_NEXT);
    receiver.post_recv(1, std::array{b.mr.sge(0, 16)});
    sender.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(b.guest.sink.completions(cq.handle), 1u);
    EXPECT_EQ(b.guest.sink.last_vector(), 3u);
}

TEST_F(Completions, AnArmingThatIsNoneOfTheKnownOnesNotifies) {
    b.recv_cq.arm(0xffffffff);
    send(false);
    EXPECT_EQ(notifications(), 1u);
}

struct Overflow : TwoGuests {
    Overflow()
        : cq(a.guest.make_cq(3)), qp(a.guest.make_qp(cq, cq)), peer(a.guest.make_qp(cq, cq)) {
        connect(qp, peer);
    }
    SendWr self_write() const {
        return {.opcode = WrOpcode::kRdmaWrite,
                .remote_address = a.mr.iova,
                .rkey = a.mr.rkey(),
                .sges = {a.mr.sge(64, 8)}};
    }
    ClientCq cq;
    ClientQp qp;
    ClientQp peer;
};

TEST_F(Overflow, FillingTheQueueToItsLastEntryIsNoError) {
    for (int i = 0; i < 3; ++i) qp.post_send(self_write());
    settle();
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 0u);
    EXPECT_EQ(qp.state(), QpState::kReadyToSend);
}

TEST_F(Overflow, IsReportedOnceAndEndsAllQueuePairsOfTheQueue) {
    for (int i = 0; i < 6; ++i) qp.post_send(self_write());
    settle();
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 1u);
    EXPECT_EQ(qp.state(), QpState::kError);
    EXPECT_EQ(peer.state(), QpState::kError);
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kQpFatal, qp.handle), 1u);
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kQpFatal, peer.handle), 1u);
    EXPECT_EQ(a.qp.state(), QpState::kReset);  // of another CQ
}

TEST_F(Overflow, DoesNotOverwriteWhatIsThere) {
    for (uint64_t i = 0; i < 6; ++i) {
        SendWr wr = self_write();
        wr.wr_id = i;
        qp.post_send(wr);
    }
    settle();
    for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(cq.poll().value().wr_id, i);
    EXPECT_FALSE(cq.poll().has_value());
}

TEST_F(Overflow, ConsumedEntriesAreUsedAgain) {
    for (int i = 0; i < 100; ++i) {
        qp.post_send(self_write());
        settle();
        ASSERT_TRUE(cq.poll().has_value());
    }
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 0u);
}

}  // namespace
}  // namespace vrdma::embedded::test
