// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Reliable connections whose peer is not ready or not there (IBTA 1.4, 9.7.5.2.8,
// 9.9.2.1), with time standing still until the test moves it.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint64_t kUs = 1000;
constexpr uint64_t kMs = 1000 * kUs;
constexpr uint64_t kSecond = 1000 * kMs;

using Retry = TwoGuests;

TEST_F(Retry, ReceiverNotReadyIsTriedAgainAfterItsTimer) {
    connect(a.qp, b.qp, {.min_rnr_timer = 12, .rnr_retry = 1});  // 0.64 ms
    a.qp.post_send(send_wr(0, 16));
    settle();
    b.post_recv(1, 0, 16);
    clock->advance(640 * kUs - 1);
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    clock->advance(1);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

TEST_F(Retry, TimerValueZeroMeansTheLongestTime) {
    connect(a.qp, b.qp, {.min_rnr_timer = 0});  // 655.36 ms
    a.qp.post_send(send_wr(0, 16));
    settle();
    b.post_recv(1, 0, 16);
    clock->advance(655 * kMs);
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    clock->advance(kMs);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(Retry, ReceiverNotReadyTooOftenIsAnError) {
    connect(a.qp, b.qp, {.min_rnr_timer = 1, .rnr_retry = 2});
    a.qp.post_send(send_wr(0, 16));
    for (int naks = 1; naks <= 2; ++naks) {
        settle();
        EXPECT_FALSE(a.send_cq.poll().has_value()) << "after NAK " << naks;
        clock->advance(kMs);
    }
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRnrRetryExceeded);
    EXPECT_EQ(a.qp.state(), QpState::kError);
    EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
}

TEST_F(Retry, WithoutRnrRetriesTheFirstNakIsAnError) {
    connect(a.qp, b.qp, {.rnr_retry = 0});
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRnrRetryExceeded);
}

TEST_F(Retry, RnrRetryCountSevenNeverGivesUp) {
    connect(a.qp, b.qp, {.min_rnr_timer = 1, .rnr_retry = 7});
    a.qp.post_send(send_wr(0, 16));
    for (int i = 0; i < 1000; ++i) {
        settle();
        clock->advance(kMs);
    }
    EXPECT_FALSE(a.send_cq.poll().has_value());
    b.post_recv(1, 0, 16);
    clock->advance(kMs);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(Retry, EachMessageHasItsOwnRnrRetries) {
    connect(a.qp, b.qp, {.min_rnr_timer = 1, .rnr_retry = 1});
    for (uint64_t i = 0; i < 3; ++i) {
        a.qp.post_send(send_wr(0, 16));
        settle();
        b.post_recv(i, 0, 16);
        clock->advance(kMs);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    }
}

TEST_F(Retry, WriteWithImmediateWaitsForAReceiveRequestToo) {
    connect(a.qp, b.qp, {.min_rnr_timer = 1});
    SendWr wr = write_wr(0, 0, 16);
    wr.opcode = WrOpcode::kRdmaWriteWithImmediate;
    a.qp.post_send(wr);
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    b.post_recv(1, 0, 0);
    clock->advance(kMs);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

TEST_F(Retry, LaterRequestsWaitBehindOneThatIsRetried) {
    connect(a.qp, b.qp, {.min_rnr_timer = 1});
    a.qp.post_send(send_wr(0, 16));
    settle();
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
}

TEST_F(Retry, SilentPeerIsAnErrorAfterAllRetries) {
    connect(a.qp, b.guest.gid(), b.qp.number(), {.timeout = 14, .retry_cnt = 2});  // 67 ms
    a.qp.post_send(write_wr(0, 0, 16));
    for (int attempt = 0; attempt < 3; ++attempt) {
        settle();
        EXPECT_FALSE(a.send_cq.poll().has_value()) << "attempt " << attempt;
        clock->advance(4096ull << 14);
    }
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
    EXPECT_EQ(a.qp.state(), QpState::kError);
}

TEST_F(Retry, PeerThatComesInTimeGetsTheMessage) {
    connect(a.qp, b.guest.gid(), b.qp.number(), {.timeout = 14});
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    connect(b.qp, a.guest.gid(), a.qp.number());
    clock->advance(4096ull << 14);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(Retry, TimeoutZeroWaitsForEver) {
    connect(a.qp, b.guest.gid(), b.qp.number(), {.timeout = 0});
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    clock->advance(3600 * kSecond);
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    EXPECT_EQ(a.qp.state(), QpState::kReadyToSend);
}

TEST_F(Retry, QueuePairThatIsNotThePeersPeerIsNotReached) {
    auto other = b.guest.make_qp(b.send_cq, b.recv_cq);
    connect(b.qp, a.guest.gid(), other.number());
    connect(a.qp, b.guest.gid(), b.qp.number(), {.retry_cnt = 0});
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    clock->advance(kSecond);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(Retry, PeerWhoseAddressWasDeletedIsNotReached) {
    connect(a.qp, b.qp, {.retry_cnt = 0});
    ASSERT_TRUE(b.guest.port->del_gid(0));
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    clock->advance(kSecond);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(Retry, PeerInTheErrorStateIsNotReached) {
    connect(a.qp, b.qp, {.retry_cnt = 0});
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(b.qp.modify(kAttrState, error));
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    clock->advance(kSecond);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

TEST_F(Retry, ErrorStateEndsTheWaiting) {
    connect(a.qp, b.qp, {.rnr_retry = 7});
    a.qp.post_send(send_wr(0, 16));
    settle();
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.qp.modify(kAttrState, error));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kFlushed);
    clock->advance(kSecond);
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
}

}  // namespace
}  // namespace vrdma::embedded::test
