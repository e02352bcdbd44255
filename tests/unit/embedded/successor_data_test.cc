// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Transfers go on in a successor of the RNIC: each completes once, with the right data, and timers
// continue.
#include "machine.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint64_t kMicrosecond = 1000;
constexpr uint64_t kMillisecond = 1000 * kMicrosecond;
constexpr uint32_t kLarge = 900 * 1024;  // bytes: some sixty turns
constexpr uint32_t kOffset = Machine::kHalf - kLarge / 2;

class SuccessorData : public HandOver {
  protected:
    SuccessorData() : a(alice.add_qp()), b(bob.add_qp()) {}

    void poll(unsigned turns) {
        for (unsigned n = 0; n < turns; ++n) {
            ASSERT_TRUE(rnic->poll_once());
        }
    }
    void expect_nothing(Machine& machine) {
        EXPECT_FALSE(machine.send_cq().poll().has_value());
        EXPECT_FALSE(machine.recv_cq().poll().has_value());
    }

    ClientQp& a;
    ClientQp& b;
};

TEST_F(SuccessorData, AWriteGoesOnWhereItWas) {
    connect(a, b);
    const auto data = pattern(kLarge);
    alice.fill(kOffset, data);
    a.post_send(write_wr(kOffset, kOffset, kLarge));
    poll(20);
    expect_nothing(alice);
    // What is written is not written again.
    const auto seen = bob.bytes(kOffset, 1);
    ASSERT_EQ(seen.front(), data.front());
    ASSERT_NE(bob.bytes(kOffset + kLarge - 16, 16), alice.bytes(kOffset + kLarge - 16, 16));
    bob.fill(kOffset, {std::byte{0xee}});

    hand_over();
    settle();
    const auto wc = only_completion(alice.send_cq());
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(wc.wr_id, 7u);
    EXPECT_EQ(wc.qp_num, a.number());
    EXPECT_EQ(bob.bytes(kOffset, 1).front(), std::byte{0xee});
    EXPECT_EQ(bob.bytes(kOffset + 1, kLarge - 1),
              std::vector<std::byte>(data.begin() + 1, data.end()));
    expect_nothing(bob);
}

TEST_F(SuccessorData, AReadGoesOnWhereItWas) {
    connect(a, b);
    const auto data = pattern(kLarge);
    bob.fill(kOffset, data);
    SendWr wr = write_wr(kOffset, kOffset, kLarge);
    wr.opcode = WrOpcode::kRdmaRead;
    a.post_send(wr);
    poll(20);
    hand_over();
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
    EXPECT_EQ(alice.bytes(kOffset, kLarge), data);
}

TEST_F(SuccessorData, ASendGoesOnIntoTheRequestThatItHasTaken) {
    connect(a, b);
    const auto data = pattern(kLarge);
    alice.fill(kOffset, data);
    ASSERT_TRUE(b.post_recv(21, std::array{bob.mr().sge(kOffset, kLarge)}));
    ASSERT_TRUE(b.post_recv(22, std::array{bob.mr().sge(0, 64)}));
    a.post_send(send_wr(kOffset, kLarge));
    poll(20);
    hand_over();
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
    const auto wc = only_completion(bob.recv_cq());
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(wc.wr_id, 21u);
    EXPECT_EQ(wc.byte_len, kLarge);
    EXPECT_EQ(bob.bytes(kOffset, kLarge), data);
}

TEST_F(SuccessorData, AReceiverThatIsResetMeanwhileGetsTheWholeMessage) {
    connect(a, b);
    const auto data = pattern(kLarge);
    alice.fill(kOffset, data);
    ASSERT_TRUE(b.post_recv(21, std::array{bob.mr().sge(kOffset, kLarge)}));
    a.post_send(send_wr(kOffset, kLarge));
    poll(20);
    hand_over();
    rnic::QpAttributes reset;
    ASSERT_TRUE(b.modify(kAttrState, reset));
    bob.fill(kOffset, std::vector<std::byte>(kLarge));
    ASSERT_TRUE(b.post_recv(22, std::array{bob.mr().sge(kOffset, kLarge)}));
    connect(b, alice.guest.gid(), a.number());
    settle();
    EXPECT_EQ(only_completion(bob.recv_cq()).wr_id, 22u);
    EXPECT_EQ(bob.bytes(kOffset, kLarge), data);
}

TEST_F(SuccessorData, WhatIsPostedAndRungForIsSentByTheSuccessor) {
    connect(a, b);
    alice.fill(0, pattern(64));
    for (uint64_t wr_id = 1; wr_id <= 3; ++wr_id) {
        SendWr wr = write_wr(0, static_cast<uint32_t>(64 * wr_id), 64);
        wr.wr_id = wr_id;
        a.post_send(wr);
    }
    hand_over();
    settle();
    for (uint64_t wr_id = 1; wr_id <= 3; ++wr_id) {
        EXPECT_EQ(alice.send_cq().poll().value().wr_id, wr_id);
    }
    expect_nothing(alice);
    EXPECT_EQ(bob.bytes(192, 64), pattern(64));
}

// The worker looks at some doorbells a turn.
TEST_F(SuccessorData, DoorbellsThatAreTakenAndNotLookedAtAreNotLost) {
    std::vector<ClientQp*> qps{&a};
    connect(a, b);
    for (int n = 0; n < 40; ++n) {
        ClientQp& mine = alice.add_qp();
        connect(mine, bob.add_qp());
        qps.push_back(&mine);
    }
    for (ClientQp* qp : qps) {
        qp->post_send(write_wr(0, 64, 64));
    }
    poll(1);
    hand_over();
    settle();
    size_t completions = 0;
    while (alice.send_cq().poll()) {
        ++completions;
    }
    EXPECT_EQ(completions, qps.size());
}

TEST_F(SuccessorData, ReceiveRequestsKeepTheirOrder) {
    connect(a, b);
    for (uint32_t wr_id = 1; wr_id <= 4; ++wr_id) {
        ASSERT_TRUE(b.post_recv(wr_id, std::array{bob.mr().sge(uint64_t{64} * wr_id, 64)}));
    }
    a.post_send(send_wr(0, 64));
    settle();
    hand_over();
    for (int n = 0; n < 3; ++n) {
        a.post_send(send_wr(0, 64));
    }
    settle();
    for (uint64_t wr_id = 1; wr_id <= 4; ++wr_id) {
        EXPECT_EQ(bob.recv_cq().poll().value().wr_id, wr_id);
    }
    EXPECT_FALSE(bob.recv_cq().poll().has_value());
}

// 0.64 ms, of which a part goes by before.
TEST_F(SuccessorData, ARetryTimerGoesOn) {
    connect(a, b, {.min_rnr_timer = 12, .rnr_retry = 1});
    a.post_send(send_wr(0, 16));
    settle();
    clock->advance(400 * kMicrosecond);
    hand_over();
    ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 16)}));
    clock->advance(240 * kMicrosecond - 1);
    settle();
    expect_nothing(alice);
    clock->advance(1);
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
    EXPECT_EQ(status_of(only_completion(bob.recv_cq())), WcStatus::kSuccess);
}

TEST_F(SuccessorData, RetriesOfBeforeCount) {
    connect(a, b, {.min_rnr_timer = 1, .rnr_retry = 2});
    a.post_send(send_wr(0, 16));
    settle();
    clock->advance(kMillisecond);
    settle();
    hand_over();
    clock->advance(kMillisecond);
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kRnrRetryExceeded);
    EXPECT_EQ(a.state(), QpState::kError);
}

TEST_F(SuccessorData, AMessageWithoutTimeoutWaitsOn) {
    connect(a, bob.guest.gid(), 0xabc, {.timeout = 0});
    a.post_send(write_wr(0, 0, 16));
    settle();
    hand_over();
    clock->advance(uint64_t{1} << 40);
    settle();
    expect_nothing(alice);
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.modify(kAttrState, error));
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kFlushed);
}

TEST_F(SuccessorData, WhatIsLeftToFlushIsFlushed) {
    connect(a, b, {.rnr_retry = 7});
    for (uint32_t wr_id = 1; wr_id <= 5; ++wr_id) {
        ASSERT_TRUE(a.post_recv(wr_id, std::array{alice.mr().sge(0, 64)}));
    }
    a.post_send(send_wr(0, 16));
    settle();  // waits for a receive request of Bob's
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.modify(kAttrState, error));
    hand_over();
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kFlushed);
    for (uint64_t wr_id = 1; wr_id <= 5; ++wr_id) {
        EXPECT_EQ(alice.recv_cq().poll().value().wr_id, wr_id);
    }
    EXPECT_FALSE(alice.recv_cq().poll().has_value());
}

TEST_F(SuccessorData, ASecondSuccessorGoesOnAsWell) {
    connect(a, b);
    const auto data = pattern(kLarge);
    alice.fill(kOffset, data);
    a.post_send(write_wr(kOffset, kOffset, kLarge));
    for (int generation = 0; generation < 3; ++generation) {
        poll(12);
        hand_over();
    }
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
    EXPECT_EQ(bob.bytes(kOffset, kLarge), data);
}

// guest-controlled: the element of a message that is being sent.
TEST_F(SuccessorData, AWorkRequestThatTheGuestMadeShorterMeanwhileFails) {
    connect(a, b);
    a.post_send(write_wr(kOffset, kOffset, kLarge));
    poll(20);
    write_send_wqe(a.send_ring.element(0), write_wr(kOffset, kOffset, 16));
    hand_over();
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kLocalQpOperationError);
    EXPECT_EQ(b.state(), QpState::kReadyToSend);
}

// guest-controlled: as above. The receive request had room for the message as it was.
TEST_F(SuccessorData, AWorkRequestThatTheGuestMadeLongerMeanwhileReachesNothingBehindTheReceiver) {
    connect(a, b);
    ASSERT_TRUE(b.post_recv(21, std::array{bob.mr().sge(0, 64 * 1024)}));
    a.post_send(send_wr(0, 64 * 1024));
    poll(2);
    write_send_wqe(a.send_ring.element(0), send_wr(0, kLarge));
    hand_over();
    settle();
    EXPECT_EQ(status_of(only_completion(bob.recv_cq())), WcStatus::kLocalLengthError);
    EXPECT_EQ(bob.bytes(64 * 1024, 4096), std::vector<std::byte>(4096));
}

TEST_F(SuccessorData, CountsOfErrorsAndOfQueuePairsThatAreGoneGoOn) {
    connect(a, b, {.rnr_retry = 0});
    a.post_send(write_wr(0, 0, 64));
    a.post_send(send_wr(0, 64));
    settle();
    alice.drop_qp();
    const auto before = alice.guest.port->query_counters().value();
    ASSERT_EQ(before[VRDMA_COUNTER_RDMA_WRITES], 1u);
    ASSERT_EQ(before[VRDMA_COUNTER_RETRY_RNR_EXCEEDED_ERR], 1u);
    hand_over();
    EXPECT_EQ(alice.guest.port->query_counters().value(), before);
}

TEST_F(SuccessorData, CountsGoOn) {
    connect(a, b);
    ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 64)}));
    a.post_send(send_wr(0, 64));
    settle();
    const auto sent = alice.guest.port->query_counters().value();
    const auto received = bob.guest.port->query_counters().value();
    ASSERT_NE(sent[VRDMA_COUNTER_RDMA_SENDS], 0u);
    ASSERT_NE(received[VRDMA_COUNTER_RDMA_RECVS], 0u);
    hand_over();
    EXPECT_EQ(alice.guest.port->query_counters().value(), sent);
    EXPECT_EQ(bob.guest.port->query_counters().value(), received);
}

}  // namespace
}  // namespace vrdma::embedded::test
