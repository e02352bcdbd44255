// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Reliable connections: what each operation moves and completes with.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class ReliableConnection : public TwoGuests {
  protected:
    ReliableConnection() { connect(a.qp, b.qp); }
};

TEST_F(ReliableConnection, WriteMovesTheBytesAndCompletesAtTheSenderOnly) {
    const auto data = pattern(1000);
    a.fill(64, data);
    a.qp.post_send(write_wr(64, 128, 1000));
    settle();
    EXPECT_EQ(b.bytes(128, 1000), data);
    const auto wc = only_completion(a.send_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kRdmaWrite);
    EXPECT_EQ(wc.wr_id, 7u);
    EXPECT_EQ(wc.qp_num, a.qp.number());
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(ReliableConnection, WriteTouchesNothingAroundItsTarget) {
    a.fill(0, pattern(100));
    a.qp.post_send(write_wr(0, 100, 100));
    settle();
    EXPECT_EQ(b.bytes(0, 100), std::vector<std::byte>(100));
    EXPECT_EQ(b.bytes(200, 100), std::vector<std::byte>(100));
}

TEST_F(ReliableConnection, WriteWithImmediateCompletesAtTheReceiverWithoutTouchingItsBuffer) {
    b.post_recv(9, 1024, 16);
    const auto data = pattern(16);
    a.fill(0, data);
    SendWr wr = write_wr(0, 0, 16);
    wr.opcode = WrOpcode::kRdmaWriteWithImmediate;
    wr.immediate = 0xdeadbeef;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(b.bytes(0, 16), data);
    EXPECT_EQ(b.bytes(1024, 16), std::vector<std::byte>(16));
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kReceiveRdmaWithImmediate);
    EXPECT_EQ(wc.wr_id, 9u);
    EXPECT_EQ(wc.byte_len, 16u);
    EXPECT_EQ(wc.wc_flags, kWcWithImmediate);
    EXPECT_EQ(wc.ex.imm_data, 0xdeadbeefu);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(ReliableConnection, SendFillsTheReceiveRequestAndCompletesAtBothEnds) {
    const auto data = pattern(300);
    a.fill(0, data);
    b.post_recv(42, 512, 400);
    a.qp.post_send(send_wr(0, 300));
    settle();
    EXPECT_EQ(b.bytes(512, 300), data);
    const auto received = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(received), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(received), WcOpcode::kReceive);
    EXPECT_EQ(received.wr_id, 42u);
    EXPECT_EQ(received.byte_len, 300u);
    EXPECT_EQ(received.qp_num, b.qp.number());
    EXPECT_EQ(received.wc_flags, 0u);
    const auto sent = only_completion(a.send_cq);
    EXPECT_EQ(status_of(sent), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(sent), WcOpcode::kSend);
}

TEST_F(ReliableConnection, SendWithImmediateCarriesItUnchanged) {
    b.post_recv(1, 0, 16);
    SendWr wr = send_wr(0, 4);
    wr.opcode = WrOpcode::kSendWithImmediate;
    wr.immediate = 0x01020304;
    a.qp.post_send(wr);
    settle();
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kReceive);
    EXPECT_EQ(wc.wc_flags, kWcWithImmediate);
    EXPECT_EQ(wc.ex.imm_data, 0x01020304u);
}

TEST_F(ReliableConnection, ReadFetchesThePeersBytes) {
    const auto data = pattern(5000);
    b.fill(100, data);
    a.qp.post_send(read_wr(0, 100, 5000));
    settle();
    EXPECT_EQ(a.bytes(0, 5000), data);
    const auto wc = only_completion(a.send_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kRdmaRead);
    EXPECT_EQ(wc.byte_len, 5000u);
}

TEST_F(ReliableConnection, CompareAndSwapExchangesOnlyOnEquality) {
    auto* word = reinterpret_cast<uint64_t*>(b.memory.data() + 8);
    *word = 5;
    SendWr wr = read_wr(0, 8, 8);
    wr.opcode = WrOpcode::kCompareAndSwap;
    wr.compare_or_add = 5;
    wr.swap = 77;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(*word, 77u);
    EXPECT_EQ(*reinterpret_cast<uint64_t*>(a.memory.data()), 5u);
    const auto wc = only_completion(a.send_cq);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kCompareAndSwap);
    EXPECT_EQ(wc.byte_len, 8u);

    a.qp.post_send(wr);  // 77 is not 5
    settle();
    EXPECT_EQ(*word, 77u);
    EXPECT_EQ(*reinterpret_cast<uint64_t*>(a.memory.data()), 77u);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(ReliableConnection, FetchAndAddReturnsTheOldValueAndWraps) {
    auto* word = reinterpret_cast<uint64_t*>(b.memory.data());
    *word = ~uint64_t{0};
    SendWr wr = read_wr(0, 0, 8);
    wr.opcode = WrOpcode::kFetchAndAdd;
    wr.compare_or_add = 3;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(*word, 2u);
    EXPECT_EQ(*reinterpret_cast<uint64_t*>(a.memory.data()), ~uint64_t{0});
    EXPECT_EQ(opcode_of(only_completion(a.send_cq)), WcOpcode::kFetchAndAdd);
}

TEST_F(ReliableConnection, InlineDataNeedsNoKeyAndNoRegion) {
    const auto data = pattern(64);
    SendWr wr = write_wr(0, 0, 0);
    wr.flags |= kSendInline;
    wr.sges.clear();
    wr.inline_data = data;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(b.bytes(0, 64), data);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

// librxe's wr_set_inline_data() stores the bytes and their length, but no flag.
TEST_F(ReliableConnection, InlineDataWithoutItsFlagIsRecognised) {
    const auto data = pattern(24);
    SendWr wr = write_wr(0, 0, 0);
    wr.flags |= kSendInline;
    wr.sges.clear();
    wr.inline_data = data;
    std::byte* element = a.qp.send_ring.back();
    write_send_wqe(element, wr);
    const uint32_t flags = kSendSignaled;
    std::memcpy(element + offsetof(rxe_send_wr, send_flags), &flags, sizeof(flags));
    a.qp.send_ring.push();
    a.qp.ring_doorbell();
    settle();
    EXPECT_EQ(b.bytes(0, 24), data);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(ReliableConnection, GathersAndScattersOverSeveralEntries) {
    const auto data = pattern(600);
    a.fill(0, data);
    SendWr wr = send_wr(0, 0);
    wr.sges = {a.mr.sge(0, 100), a.mr.sge(100, 0), a.mr.sge(100, 499), a.mr.sge(599, 1)};
    b.qp.post_recv(1, std::array{b.mr.sge(1000, 333), b.mr.sge(5000, 1), b.mr.sge(7000, 500)});
    a.qp.post_send(wr);
    settle();
    auto got = b.bytes(1000, 333);
    const auto second = b.bytes(5000, 1);
    const auto third = b.bytes(7000, 266);
    got.insert(got.end(), second.begin(), second.end());
    got.insert(got.end(), third.begin(), third.end());
    EXPECT_EQ(got, data);
    EXPECT_EQ(b.bytes(7266, 1), std::vector<std::byte>(1));
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, 600u);
}

TEST_F(ReliableConnection, EmptyMessagesTouchNoMemoryAndNeedNoKey) {
    SendWr wr = write_wr(0, 0, 0);
    wr.rkey = 0;
    wr.sges.clear();
    a.qp.post_send(wr);
    wr.opcode = WrOpcode::kRdmaRead;
    a.qp.post_send(wr);
    b.post_recv(1, 0, 0);
    wr.opcode = WrOpcode::kSend;
    a.qp.post_send(wr);
    settle();
    for (int i = 0; i < 3; ++i) {
        const auto wc = a.send_cq.poll();
        ASSERT_TRUE(wc.has_value());
        EXPECT_EQ(status_of(*wc), WcStatus::kSuccess);
        EXPECT_EQ(wc->byte_len, 0u);
    }
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, 0u);
}

TEST_F(ReliableConnection, UnsignaledRequestsCompleteSilentlyAndFreeTheirSlots) {
    SendWr wr = write_wr(0, 0, 8);
    wr.flags = 0;
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(a.qp.post_send(wr));
        settle();
    }
    EXPECT_FALSE(a.send_cq.poll().has_value());
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(ReliableConnection, CompletionsComeInTheOrderOfPosting) {
    for (uint64_t i = 0; i < 12; ++i) {
        SendWr wr = i % 3 == 0 ? read_wr(0, 0, 4000) : write_wr(0, 0, 8);
        wr.wr_id = i;
        wr.flags |= i % 2 == 0 ? kSendFence : 0;
        ASSERT_TRUE(a.qp.enqueue_send(wr));
    }
    a.qp.ring_doorbell();
    settle();
    for (uint64_t i = 0; i < 12; ++i) {
        EXPECT_EQ(a.send_cq.poll().value().wr_id, i);
    }
}

TEST_F(ReliableConnection, AFencedReadSeesTheWriteBeforeIt) {
    a.fill(0, pattern(64));
    a.qp.enqueue_send(write_wr(0, 0, 64));
    SendWr read = read_wr(512, 0, 64);
    read.flags |= kSendFence;
    a.qp.enqueue_send(read);
    a.qp.ring_doorbell();
    settle();
    EXPECT_EQ(a.bytes(512, 64), pattern(64));
}

TEST_F(ReliableConnection, ConnectionToItselfWorks) {
    auto self = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(self, a.guest.gid(), self.number());
    const auto data = pattern(128);
    a.fill(0, data);
    self.post_recv(3, std::array{a.mr.sge(4096, 128)});
    self.post_send({.wr_id = 1, .opcode = WrOpcode::kSend, .sges = {a.mr.sge(0, 128)}});
    settle();
    EXPECT_EQ(a.bytes(4096, 128), data);
    EXPECT_EQ(only_completion(a.recv_cq).wr_id, 3u);
    EXPECT_EQ(only_completion(a.send_cq).wr_id, 1u);
}

TEST_F(ReliableConnection, TwoQueuePairsOfOneGuestReachEachOther) {
    auto first = a.guest.make_qp(a.send_cq, a.recv_cq);
    auto second = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(first, second);
    a.fill(0, pattern(32));
    first.post_send({.opcode = WrOpcode::kRdmaWrite,
                     .remote_address = a.mr.iova + 64,
                     .rkey = a.mr.rkey(),
                     .sges = {a.mr.sge(0, 32)}});
    settle();
    EXPECT_EQ(a.bytes(64, 32), pattern(32));
}

TEST_F(ReliableConnection, OverlappingSourceAndTargetMoveAsIfThroughABuffer) {
    auto self = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(self, a.guest.gid(), self.number());
    const auto data = pattern(1000);
    a.fill(0, data);
    self.post_send({.opcode = WrOpcode::kRdmaWrite,
                    .remote_address = a.mr.iova + 10,
                    .rkey = a.mr.rkey(),
                    .sges = {a.mr.sge(0, 1000)}});
    settle();
    EXPECT_EQ(a.bytes(10, 1000), data);
}

struct LargeMessages : TwoGuests {
    LargeMessages() : TwoGuests({}, 8 << 20) { connect(a.qp, b.qp); }
};

TEST_F(LargeMessages, AreMovedInSlicesAndCompleteOnce) {
    const auto data = pattern(5'000'001);
    a.fill(3, data);
    a.qp.post_send(write_wr(3, 1, 5'000'001));
    ASSERT_TRUE(rnic->poll_once());
    EXPECT_TRUE(a.send_cq.ring.empty());  // one slice is not the whole message
    settle();
    EXPECT_EQ(b.bytes(1, data.size()), data);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(LargeMessages, SendReachesTheReceiverWhole) {
    const auto data = pattern(3'000'000);
    a.fill(0, data);
    b.post_recv(1, 64, 4'000'000);
    a.qp.post_send(send_wr(0, 3'000'000));
    settle();
    EXPECT_EQ(b.bytes(64, data.size()), data);
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, data.size());
}

TEST_F(LargeMessages, ReadFetchesTheWhole) {
    const auto data = pattern(3'000'000);
    b.fill(9, data);
    a.qp.post_send(read_wr(0, 9, 3'000'000));
    settle();
    EXPECT_EQ(a.bytes(0, data.size()), data);
}

TEST_F(LargeMessages, DoNotKeepOtherQueuePairsWaiting) {
    auto small_cq = a.guest.make_cq(15);
    auto busy = a.guest.make_qp(a.send_cq, a.recv_cq);
    auto small = a.guest.make_qp(small_cq, a.recv_cq);
    connect(busy, a.guest.gid(), busy.number());
    connect(small, a.guest.gid(), small.number());
    settle();
    SendWr wr{.opcode = WrOpcode::kRdmaWrite,
              .remote_address = a.mr.iova,
              .rkey = a.mr.rkey(),
              .sges = {a.mr.sge(0, 8 << 20)}};
    busy.post_send(wr);
    rnic->poll_once();
    wr.sges[0].length = 8;
    small.post_send(wr);
    rnic->poll_once();
    rnic->poll_once();
    EXPECT_EQ(status_of(only_completion(small_cq)), WcStatus::kSuccess);
    EXPECT_TRUE(a.send_cq.ring.empty());
    settle();
}

// The region goes away while a message is under way: what is left of it is refused.
TEST_F(LargeMessages, DeregisteringTheTargetEndsTheTransfer) {
    a.qp.post_send(write_wr(0, 0, 4 << 20));
    rnic->poll_once();
    b.mr.object.reset();
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRemoteAccessError);
}

}  // namespace
}  // namespace vrdma::embedded::test
