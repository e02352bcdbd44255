// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a port counts (common/vrdma_counters.h).
#include <map>
#include <string>

#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class Counters : public TwoGuests {
  protected:
    Counters() { connect(a.qp, b.qp); }
    static rnic::Counters of(End& end) { return *end.guest.port->query_counters(); }
};

TEST_F(Counters, AWriteIsSentByTheOneAndReceivedByTheOther) {
    a.qp.post_send(write_wr(64, 128, 1000));
    settle();
    const auto sender = of(a);
    EXPECT_EQ(sender[VRDMA_COUNTER_RDMA_WRITES], 1u);
    EXPECT_EQ(sender[VRDMA_COUNTER_SENT_BYTES], 1000u);
    EXPECT_EQ(sender[VRDMA_COUNTER_SENT_PKTS], 1u);
    EXPECT_EQ(sender[VRDMA_COUNTER_RCVD_BYTES], 0u);
    const auto receiver = of(b);
    EXPECT_EQ(receiver[VRDMA_COUNTER_RCVD_BYTES], 1000u);
    EXPECT_EQ(receiver[VRDMA_COUNTER_RCVD_PKTS], 1u);
    EXPECT_EQ(receiver[VRDMA_COUNTER_RDMA_WRITES], 0u);
    EXPECT_EQ(receiver[VRDMA_COUNTER_RDMA_RECVS], 0u);
}

TEST_F(Counters, ASendThatNobodyExpectsIsAnRnrErrorOfBoth) {
    a.qp.post_send(send_wr(0, 10));
    settle();
    EXPECT_GE(of(a)[VRDMA_COUNTER_RCVD_RNR_ERR], 1u);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_RCVD_RNR_ERR], of(b)[VRDMA_COUNTER_SEND_RNR_ERR]);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_RDMA_SENDS], 0u);
}

TEST_F(Counters, ASendIsReceivedOnce) {
    b.post_recv(42, 512, 400);
    a.qp.post_send(send_wr(0, 300));
    settle();
    EXPECT_EQ(of(a)[VRDMA_COUNTER_RDMA_SENDS], 1u);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_SENT_BYTES], 300u);
    EXPECT_EQ(of(b)[VRDMA_COUNTER_RDMA_RECVS], 1u);
    EXPECT_EQ(of(b)[VRDMA_COUNTER_RCVD_BYTES], 300u);
    EXPECT_EQ(of(b)[VRDMA_COUNTER_RCVD_PKTS], 1u);
}

TEST_F(Counters, TheDataOfAReadComeFromTheOneWhoAnswers) {
    a.qp.post_send(read_wr(0, 128, 64));
    settle();
    EXPECT_EQ(of(a)[VRDMA_COUNTER_RDMA_READS], 1u);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_RCVD_BYTES], 64u);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_SENT_BYTES], 0u);
    EXPECT_EQ(of(b)[VRDMA_COUNTER_SENT_BYTES], 64u);
}

TEST_F(Counters, ARequestThatFailsIsAnErrorAndNoTraffic) {
    SendWr wr = write_wr(0, 128, 64);
    wr.rkey ^= 0xff;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(of(a)[VRDMA_COUNTER_REQ_CQE_ERROR], 1u);
    EXPECT_EQ(of(a)[VRDMA_COUNTER_SENT_BYTES], 0u);
    EXPECT_EQ(of(b)[VRDMA_COUNTER_RCVD_BYTES], 0u);
}

TEST_F(Counters, ACompletionWithAnErrorIsCountedByItsStatusAndThoseBehindItAsFlushed) {
    SendWr wr = write_wr(0, 128, 64);
    wr.rkey ^= 0xff;
    a.qp.post_send(wr);
    a.qp.post_send(write_wr(0, 128, 64));
    settle();
    std::map<std::string, uint64_t> failed;
    const rnic::PortActivity activity = a.guest.port->query_activity().value();
    for (const auto& [status, count] : activity.failed_completions) {
        failed[status] = count;
    }
    EXPECT_EQ(failed,
              (std::map<std::string, uint64_t>{{"rem_access_err", 1}, {"wr_flush_err", 1}}));
}

TEST_F(Counters, AllTurnsAreToldOfWhenAGuestHasHadMany) {
    constexpr unsigned kMessages = 1000;
    constexpr unsigned kMostUntold = 192;  // from one turn that is timed to the next
    settle();                              // what connecting has left to do
    const auto before = *a.guest.port->query_activity();
    const auto other = *b.guest.port->query_activity();
    for (unsigned n = 0; n < kMessages; ++n) {
        a.qp.post_send(write_wr(64, 128, 8));
        settle();
        a.send_cq.poll();
    }
    const auto after = *a.guest.port->query_activity();
    EXPECT_GE(after.turns - before.turns, kMessages - kMostUntold);
    EXPECT_LE(after.turns - before.turns, 2 * kMessages);
    EXPECT_GT(after.nanoseconds, before.nanoseconds);
    EXPECT_EQ(after.notifications, 0u) << "nobody sleeps";
    EXPECT_EQ(b.guest.port->query_activity()->turns, other.turns) << "it has sent nothing";
}

}  // namespace
}  // namespace vrdma::embedded::test
