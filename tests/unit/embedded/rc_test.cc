// SPDX-License-Identifier: Apache-2.0
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

}  // namespace
}  // namespace vrdma::embedded::test
