// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Unreliable connections: the same operations, but what cannot be delivered is lost
// silently (IBTA 1.4, 9.8.2).
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class UnreliableConnection : public TwoGuests {
  protected:
    UnreliableConnection() : TwoGuests({.type = QpType::kUc}) { connect(a.qp, b.qp); }

    // The sender notices nothing, the receiver gets nothing, both go on.
    void expect_lost(const SendWr& wr) {
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
        EXPECT_FALSE(b.recv_cq.poll().has_value());
        EXPECT_EQ(a.qp.state(), QpState::kReadyToSend);
        EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
    }
};

TEST_F(UnreliableConnection, SendAndWriteArrive) {
    const auto data = pattern(500);
    a.fill(0, data);
    b.post_recv(1, 1000, 500);
    a.qp.post_send(send_wr(0, 500));
    a.qp.post_send(write_wr(0, 4000, 500));
    settle();
    EXPECT_EQ(b.bytes(1000, 500), data);
    EXPECT_EQ(b.bytes(4000, 500), data);
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, 500u);
}

TEST_F(UnreliableConnection, SendWithoutAReceiveRequestIsLost) {
    expect_lost(send_wr(0, 16));
}

TEST_F(UnreliableConnection, SendThatIsTooLongIsLostAndLeavesTheReceiveRequest) {
    b.post_recv(1, 0, 16);
    expect_lost(send_wr(0, 17));
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(only_completion(b.recv_cq).wr_id, 1u);
}

TEST_F(UnreliableConnection, WriteWithABadRemoteKeyIsLost) {
    SendWr wr = write_wr(0, 0, 16);
    wr.rkey = 1;
    expect_lost(wr);
}

TEST_F(UnreliableConnection, MessageToAPeerThatIsGoneIsLost) {
    rnic::QpAttributes reset;
    ASSERT_TRUE(b.qp.modify(kAttrState, reset));
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(UnreliableConnection, ReadsAndAtomicsAreLocalQpOperationErrors) {
    a.qp.post_send(read_wr(0, 0, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
}

TEST_F(UnreliableConnection, LocalErrorStopsSendingUntilTheQueuePairIsToldToGoOn) {
    SendWr bad = write_wr(0, 0, 16);
    bad.sges[0].key = 0;
    a.qp.enqueue_send(bad);
    a.qp.enqueue_send(write_wr(0, 0, 16));
    a.qp.ring_doorbell();
    settle();
    EXPECT_EQ(status_of(*a.send_cq.poll()), WcStatus::kLocalProtectionError);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kFlushed);
    EXPECT_EQ(a.qp.state(), QpState::kSendQueueError);

    // The queue pair still receives.
    a.post_recv(9, 0, 16);
    b.qp.post_send({.opcode = WrOpcode::kSend, .sges = {b.mr.sge(0, 16)}});
    settle();
    EXPECT_EQ(only_completion(a.recv_cq).wr_id, 9u);

    rnic::QpAttributes rts;
    rts.qp_state = static_cast<uint8_t>(QpState::kReadyToSend);
    ASSERT_TRUE(a.qp.modify(kAttrState, rts));
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

}  // namespace
}  // namespace vrdma::embedded::test
