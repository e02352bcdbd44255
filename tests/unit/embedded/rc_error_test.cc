// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Reliable connections: every way in which a message can fail, at both ends
// (IBTA 1.4, 9.9 and 11.6.2).
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

using rnic::AsyncEventType;

class ReliableConnectionErrors : public TwoGuests {
  protected:
    ReliableConnectionErrors() { connect(a.qp, b.qp); }

    // Posts one request, which must fail with `status` and end the connection.
    void expect_failure(const SendWr& wr, WcStatus status) {
        a.qp.post_send(wr);
        settle();
        const auto wc = only_completion(a.send_cq);
        EXPECT_EQ(status_of(wc), status);
        EXPECT_EQ(wc.wr_id, wr.wr_id);
        EXPECT_EQ(a.qp.state(), QpState::kError);
    }
    void expect_responder_untouched() {
        EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
        EXPECT_FALSE(b.recv_cq.poll().has_value());
    }
    // The responder has gone to the error state and has said why.
    void expect_responder_failed(AsyncEventType why) {
        EXPECT_EQ(b.qp.state(), QpState::kError);
        EXPECT_EQ(b.guest.sink.events(why, b.qp.handle), 1u);
    }
};

TEST_F(ReliableConnectionErrors, UnknownLocalKeyIsALocalProtectionError) {
    SendWr wr = write_wr(0, 0, 64);
    wr.sges[0].key ^= 0x100;
    expect_failure(wr, WcStatus::kLocalProtectionError);
    expect_responder_untouched();
}

TEST_F(ReliableConnectionErrors, LocalRangeOutsideTheRegionIsALocalProtectionError) {
    expect_failure(write_wr(a.memory.size() - 10, 0, 11), WcStatus::kLocalProtectionError);
    expect_responder_untouched();
}

TEST_F(ReliableConnectionErrors, LocalRangeThatWrapsIsALocalProtectionError) {
    SendWr wr = write_wr(0, 0, 64);
    wr.sges[0].address = ~uint64_t{0} - 8;
    expect_failure(wr, WcStatus::kLocalProtectionError);
}

TEST_F(ReliableConnectionErrors, LocalKeyOfAnotherProtectionDomainIsALocalProtectionError) {
    auto pd = a.guest.make_pd();
    auto mr = a.guest.reg_mr(a.memory, kAllAccess, Guest::kIova, pd.get());
    SendWr wr = write_wr(0, 0, 64);
    wr.sges[0] = mr.sge(0, 64);
    expect_failure(wr, WcStatus::kLocalProtectionError);
}

TEST_F(ReliableConnectionErrors, ReadIntoAReadOnlyRegionIsALocalProtectionError) {
    auto mr = a.guest.reg_mr(a.memory, 0);
    SendWr wr = read_wr(0, 0, 64);
    wr.sges[0] = mr.sge(0, 64);
    expect_failure(wr, WcStatus::kLocalProtectionError);
    expect_responder_untouched();
}

TEST_F(ReliableConnectionErrors, KeyOfADeregisteredRegionIsALocalProtectionError) {
    SendWr wr = write_wr(0, 0, 64);
    a.mr.object.reset();
    auto again = a.guest.reg_mr(a.memory, kAllAccess);  // may take the same index
    EXPECT_NE(again.lkey(), wr.sges[0].key);
    expect_failure(wr, WcStatus::kLocalProtectionError);
}

TEST_F(ReliableConnectionErrors, UnknownRemoteKeyIsARemoteAccessError) {
    SendWr wr = write_wr(0, 0, 64);
    wr.rkey ^= 0x100;
    expect_failure(wr, WcStatus::kRemoteAccessError);
    expect_responder_failed(AsyncEventType::kQpAccessError);
}

TEST_F(ReliableConnectionErrors, RemoteKeyOfTheSendersOwnRegionIsARemoteAccessError) {
    SendWr wr = write_wr(0, 0, 64);
    auto second = a.guest.reg_mr(a.memory, kAllAccess);
    wr.rkey = second.rkey();  // a's table has it, b's has not
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

TEST_F(ReliableConnectionErrors, RemoteRangeOutsideTheRegionIsARemoteAccessError) {
    expect_failure(write_wr(0, b.memory.size() - 63, 64), WcStatus::kRemoteAccessError);
    expect_responder_failed(AsyncEventType::kQpAccessError);
    EXPECT_EQ(b.memory.back(), std::byte{0});
}

TEST_F(ReliableConnectionErrors, RemoteRangeThatWrapsIsARemoteAccessError) {
    SendWr wr = write_wr(0, 0, 64);
    wr.remote_address = ~uint64_t{0} - 8;
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

TEST_F(ReliableConnectionErrors, RemoteKeyOfAnotherProtectionDomainIsARemoteAccessError) {
    auto pd = b.guest.make_pd();
    auto mr = b.guest.reg_mr(b.memory, kAllAccess, Guest::kIova, pd.get());
    SendWr wr = write_wr(0, 0, 64);
    wr.rkey = mr.rkey();
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

TEST_F(ReliableConnectionErrors, WriteWithoutTheRegionsPermissionIsARemoteAccessError) {
    auto mr = b.guest.reg_mr(b.memory, kAccessLocalWrite | kAccessRemoteRead);
    SendWr wr = write_wr(0, 0, 64);
    wr.rkey = mr.rkey();
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

TEST_F(ReliableConnectionErrors, ReadWithoutTheRegionsPermissionIsARemoteAccessError) {
    auto mr = b.guest.reg_mr(b.memory, kAccessLocalWrite | kAccessRemoteWrite);
    SendWr wr = read_wr(0, 0, 64);
    wr.rkey = mr.rkey();
    expect_failure(wr, WcStatus::kRemoteAccessError);
    expect_responder_failed(AsyncEventType::kQpAccessError);
}

TEST_F(ReliableConnectionErrors, AtomicWithoutTheRegionsPermissionIsARemoteAccessError) {
    auto mr = b.guest.reg_mr(b.memory, kAccessLocalWrite | kAccessRemoteWrite | kAccessRemoteRead);
    SendWr wr = read_wr(0, 0, 8);
    wr.opcode = WrOpcode::kFetchAndAdd;
    wr.rkey = mr.rkey();
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

TEST_F(ReliableConnectionErrors, MisalignedAtomicIsARemoteInvalidRequest) {
    SendWr wr = read_wr(0, 4, 8);
    wr.opcode = WrOpcode::kFetchAndAdd;
    expect_failure(wr, WcStatus::kRemoteInvalidRequest);
    expect_responder_failed(AsyncEventType::kQpRequestError);
}

TEST_F(ReliableConnectionErrors, AtomicWithRoomForLessThanItsResultIsALocalLengthError) {
    SendWr wr = read_wr(0, 0, 7);
    wr.opcode = WrOpcode::kCompareAndSwap;
    expect_failure(wr, WcStatus::kLocalLengthError);
    expect_responder_untouched();
}

TEST_F(ReliableConnectionErrors, UnknownOpcodeIsALocalQpOperationError) {
    SendWr wr = write_wr(0, 0, 64);
    wr.opcode = static_cast<WrOpcode>(200);
    expect_failure(wr, WcStatus::kLocalQpOperationError);
    expect_responder_untouched();
}

TEST_F(ReliableConnectionErrors, OperationsThatAreNotOfferedAreLocalQpOperationErrors) {
    SendWr wr = write_wr(0, 0, 64);
    wr.opcode = static_cast<WrOpcode>(11);  // IB_WR_RDMA_READ_WITH_INV
    expect_failure(wr, WcStatus::kLocalQpOperationError);
}

TEST_F(ReliableConnectionErrors, SendLongerThanTheReceiveRequestFailsAtBothEnds) {
    b.post_recv(5, 0, 63);
    expect_failure(send_wr(0, 64), WcStatus::kRemoteInvalidRequest);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kLocalLengthError);
    EXPECT_EQ(wc.wr_id, 5u);
    EXPECT_EQ(b.qp.state(), QpState::kError);
    EXPECT_EQ(b.bytes(0, 64), std::vector<std::byte>(64));
}

TEST_F(ReliableConnectionErrors, ReceiveRequestWithABadKeyFailsAtBothEnds) {
    Sge sge = b.mr.sge(0, 64);
    sge.key ^= 0x100;
    b.qp.post_recv(5, std::array{sge});
    expect_failure(send_wr(0, 64), WcStatus::kRemoteOperationError);
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kLocalProtectionError);
    EXPECT_EQ(b.qp.state(), QpState::kError);
}

TEST_F(ReliableConnectionErrors, ReceiveRequestIntoAReadOnlyRegionFailsAtBothEnds) {
    auto mr = b.guest.reg_mr(b.memory, 0);
    b.qp.post_recv(5, std::array{mr.sge(0, 64)});
    expect_failure(send_wr(0, 64), WcStatus::kRemoteOperationError);
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kLocalProtectionError);
}

TEST_F(ReliableConnectionErrors, AnErrorFlushesBothQueuesInOrder) {
    b.post_recv(1, 0, 16);
    b.post_recv(2, 0, 16);
    a.post_recv(3, 0, 16);
    SendWr bad = write_wr(0, 0, 64);
    bad.rkey = 0;
    a.qp.enqueue_send(bad);
    SendWr next = write_wr(0, 0, 64);
    next.wr_id = 8;
    next.flags = 0;  // flushed requests complete in any case
    a.qp.enqueue_send(next);
    a.qp.ring_doorbell();
    settle();
    EXPECT_EQ(status_of(*a.send_cq.poll()), WcStatus::kRemoteAccessError);
    const auto flushed = only_completion(a.send_cq);
    EXPECT_EQ(status_of(flushed), WcStatus::kFlushed);
    EXPECT_EQ(flushed.wr_id, 8u);
    EXPECT_EQ(status_of(only_completion(a.recv_cq)), WcStatus::kFlushed);
    for (uint64_t wr_id : {1u, 2u}) {
        const auto wc = b.recv_cq.poll();
        ASSERT_TRUE(wc.has_value());
        EXPECT_EQ(status_of(*wc), WcStatus::kFlushed);
        EXPECT_EQ(wc->wr_id, wr_id);
    }
}

TEST_F(ReliableConnectionErrors, WhatIsPostedInTheErrorStateIsFlushed) {
    rnic::QpAttributes attributes;
    attributes.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.qp.modify(kAttrState, attributes));
    a.qp.post_send(write_wr(0, 0, 64));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kFlushed);
}

TEST_F(ReliableConnectionErrors, AnErrorCompletesUnsignaledRequestsToo) {
    SendWr wr = write_wr(0, 0, 64);
    wr.flags = 0;
    wr.rkey = 0;
    expect_failure(wr, WcStatus::kRemoteAccessError);
}

struct QpAccess : TwoGuests {
    void expect_refused(const SendWr& wr, const ConnectOptions& options) {
        connect(a.qp, b.qp, options);
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRemoteInvalidRequest);
        EXPECT_EQ(b.qp.state(), QpState::kError);
        EXPECT_EQ(b.guest.sink.events(AsyncEventType::kQpRequestError, b.qp.handle), 1u);
    }
};

TEST_F(QpAccess, WriteToAQueuePairThatDoesNotAllowItIsARemoteInvalidRequest) {
    expect_refused(write_wr(0, 0, 8), {.access = kAccessRemoteRead});
}

TEST_F(QpAccess, ReadFromAQueuePairThatDoesNotAllowItIsARemoteInvalidRequest) {
    expect_refused(read_wr(0, 0, 8), {.access = kAccessRemoteWrite});
}

TEST_F(QpAccess, AtomicOnAQueuePairThatDoesNotAllowItIsARemoteInvalidRequest) {
    SendWr wr = read_wr(0, 0, 8);
    wr.opcode = WrOpcode::kFetchAndAdd;
    expect_refused(wr, {.access = kAccessRemoteWrite | kAccessRemoteRead});
}

TEST_F(QpAccess, ReadFromAResponderWithoutResourcesIsARemoteInvalidRequest) {
    expect_refused(read_wr(0, 0, 8), {.max_dest_rd_atomic = 0});
}

TEST_F(QpAccess, ReadByARequesterWithoutResourcesIsALocalQpOperationError) {
    connect(a.qp, b.qp, {.max_rd_atomic = 0});
    a.qp.post_send(read_wr(0, 0, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
    EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
}

}  // namespace
}  // namespace vrdma::embedded::test
