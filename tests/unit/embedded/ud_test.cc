// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Unreliable datagrams: addressing, the header in front, keys and what gets lost.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class Datagram : public TwoGuests {
  protected:
    Datagram() : TwoGuests({.type = QpType::kUd, .inline_data = 64}) {
        for (ClientQp* qp : {&a.qp, &b.qp}) {
            to_init(*qp);
            to_rtr(*qp, {}, 0);
            to_rts(*qp);
        }
        ah = a.guest.make_ah(b.guest.gid());
    }

    SendWr datagram(uint64_t local, uint32_t length) const {
        SendWr wr = send_wr(local, length);
        wr.remote_qpn = b.qp.number();
        wr.remote_qkey = ConnectOptions{}.qkey;
        wr.ah_number = ah.number;
        return wr;
    }
    // Sent without an error, but never received.
    void expect_lost(const SendWr& wr) {
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
        EXPECT_FALSE(b.recv_cq.poll().has_value());
        EXPECT_EQ(b.qp.state(), QpState::kReadyToSend);
    }
    void expect_error(const SendWr& wr, WcStatus status) {
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), status);
        EXPECT_EQ(a.qp.state(), QpState::kSendQueueError);
    }

    ClientAh ah;
};

TEST_F(Datagram, ArrivesBehindTheHeaderAndNamesItsSender) {
    const auto data = pattern(200);
    a.fill(0, data);
    b.post_recv(4, 1000, 240);
    a.qp.post_send(datagram(0, 200));
    settle();
    EXPECT_EQ(b.bytes(1040, 200), data);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(opcode_of(wc), WcOpcode::kReceive);
    EXPECT_EQ(wc.byte_len, 240u);
    EXPECT_EQ(wc.src_qp, a.qp.number());
    EXPECT_EQ(wc.qp_num, b.qp.number());
    EXPECT_EQ(wc.wc_flags, kWcGrh);
    EXPECT_EQ(wc.sl, VRDMA_WC_UDP_IPV4);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(Datagram, Ipv4HeaderIsInTheLastTwentyBytesAndItsChecksumHolds) {
    b.post_recv(1, 0, 100);
    a.qp.post_send(datagram(0, 8));
    settle();
    const auto* ip = reinterpret_cast<const uint8_t*>(b.memory.data()) + 20;
    EXPECT_EQ(ip[0], 0x45);
    EXPECT_EQ(ip[8], 64);  // hop limit of the address handle
    EXPECT_EQ(ip[9], 17);  // UDP
    EXPECT_EQ(ip[3], 20 + 8 + 12 + 8 + 8 + 4);
    EXPECT_EQ((std::array{ip[12], ip[13], ip[14], ip[15]}), (std::array<uint8_t, 4>{10, 0, 0, 1}));
    EXPECT_EQ((std::array{ip[16], ip[17], ip[18], ip[19]}), (std::array<uint8_t, 4>{10, 0, 0, 2}));
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) {
        sum += ip[i] << 8 | ip[i + 1];
    }
    EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
}

TEST_F(Datagram, Ipv6HeaderTakesAllFortyBytes) {
    const rnic::Gid from{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    const rnic::Gid to{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1};
    ASSERT_TRUE(a.guest.port->add_gid(0, from, 2));
    ASSERT_TRUE(b.guest.port->add_gid(0, to, 2));
    ah = a.guest.make_ah(to);
    b.post_recv(1, 0, 100);
    a.qp.post_send(datagram(0, 8));
    settle();
    const auto wc = only_completion(b.recv_cq);
    ASSERT_EQ(wc.byte_len, 48u);
    EXPECT_EQ(wc.sl, VRDMA_WC_UDP_IPV6);
    const auto* ip = reinterpret_cast<const uint8_t*>(b.memory.data());
    EXPECT_EQ(ip[0] >> 4, 6);
    EXPECT_EQ(ip[6], 17);
    EXPECT_EQ(ip[7], 64);
    EXPECT_EQ(std::memcmp(ip + 8, from.data(), 16), 0);
    EXPECT_EQ(std::memcmp(ip + 24, to.data(), 16), 0);
}

TEST_F(Datagram, ImmediateAndInlineDataArrive) {
    const auto data = pattern(40);
    b.post_recv(1, 0, 100);
    SendWr wr = datagram(0, 0);
    wr.opcode = WrOpcode::kSendWithImmediate;
    wr.immediate = 0x11223344;
    wr.flags |= kSendInline;
    wr.sges.clear();
    wr.inline_data = data;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(b.bytes(40, 40), data);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wc_flags, kWcGrh | kWcWithImmediate);
    EXPECT_EQ(wc.ex.imm_data, 0x11223344u);
}

TEST_F(Datagram, PostedBeforeItsQueuePairIsDestroyedArrives) {
    b.post_recv(4, 0, 64);
    a.qp.post_send(datagram(0, 8));
    a.qp.object.reset();
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

TEST_F(Datagram, PostedBeforeItsQueuePairIsInErrorArrives) {
    b.post_recv(4, 0, 64);
    a.qp.post_send(datagram(0, 8));
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.qp.modify(kAttrState, error));
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

TEST_F(Datagram, OfTheSizeOfTheMtuArrives) {
    const auto data = pattern(4096);
    a.fill(0, data);
    b.post_recv(1, 0, 4136);
    a.qp.post_send(datagram(0, 4096));
    settle();
    EXPECT_EQ(b.bytes(40, 4096), data);
}

TEST_F(Datagram, LargerThanTheMtuIsLost) {
    b.post_recv(1, 0, 8192);
    expect_lost(datagram(0, 4097));
}

TEST_F(Datagram, WithoutAReceiveRequestIsLost) {
    expect_lost(datagram(0, 8));
}

TEST_F(Datagram, LongerThanTheReceiveRequestIsLost) {
    b.post_recv(1, 0, 47);  // 40 of header and 7
    expect_lost(datagram(0, 8));
}

TEST_F(Datagram, WithAnotherQkeyIsLost) {
    b.post_recv(1, 0, 100);
    SendWr wr = datagram(0, 8);
    wr.remote_qkey ^= 1;
    expect_lost(wr);
}

TEST_F(Datagram, QkeyWithItsTopBitSetMeansTheSendersOwn) {
    b.post_recv(1, 0, 100);
    SendWr wr = datagram(0, 8);
    wr.remote_qkey = 0x80000000;  // both have the same
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

TEST_F(Datagram, ToAnUnknownQueuePairIsLost) {
    b.post_recv(1, 0, 100);
    SendWr wr = datagram(0, 8);
    wr.remote_qpn = 0x123456;
    expect_lost(wr);
}

TEST_F(Datagram, ToAQueuePairOfAnotherAddressIsLost) {
    a.post_recv(1, 0, 100);
    SendWr wr = datagram(0, 8);
    wr.remote_qpn = a.qp.number();  // exists, but not at b's address
    expect_lost(wr);
    EXPECT_FALSE(a.recv_cq.poll().has_value());
}

TEST_F(Datagram, ToAConnectedQueuePairIsLost) {
    auto rc = b.guest.make_qp(b.send_cq, b.recv_cq);
    connect(rc, b.guest.gid(), rc.number());
    rc.post_recv(1, std::array{b.mr.sge(0, 100)});
    SendWr wr = datagram(0, 8);
    wr.remote_qpn = rc.number();
    expect_lost(wr);
}

TEST_F(Datagram, ToAnAddressOfNobodyIsLost) {
    b.post_recv(1, 0, 100);
    auto nowhere = a.guest.make_ah(Guest::gid_of(99));
    SendWr wr = datagram(0, 8);
    wr.ah_number = nowhere.number;
    expect_lost(wr);
}

TEST_F(Datagram, WithAnUnknownAddressHandleIsALocalQpOperationError) {
    SendWr wr = datagram(0, 8);
    wr.ah_number = 1000;
    expect_error(wr, WcStatus::kLocalQpOperationError);
}

TEST_F(Datagram, WithADestroyedAddressHandleIsALocalQpOperationError) {
    const SendWr wr = datagram(0, 8);
    ah.object.reset();
    expect_error(wr, WcStatus::kLocalQpOperationError);
}

TEST_F(Datagram, WithAnAddressHandleOfAnotherProtectionDomainIsALocalQpOperationError) {
    auto pd = a.guest.make_pd();
    auto other = a.guest.make_ah(b.guest.gid(), pd.get());
    SendWr wr = datagram(0, 8);
    wr.ah_number = other.number;
    expect_error(wr, WcStatus::kLocalQpOperationError);
}

TEST_F(Datagram, OnlySendsAreDatagrams) {
    SendWr wr = datagram(0, 8);
    wr.opcode = WrOpcode::kRdmaWrite;
    expect_error(wr, WcStatus::kLocalQpOperationError);
}

TEST_F(Datagram, WithABadLocalKeyIsALocalProtectionError) {
    SendWr wr = datagram(0, 8);
    wr.sges[0].key = 0;
    expect_error(wr, WcStatus::kLocalProtectionError);
}

TEST_F(Datagram, BadReceiveRequestEndsItsQueuePairButNotTheSender) {
    Sge sge = b.mr.sge(0, 100);
    sge.key = 0;
    b.qp.post_recv(6, std::array{sge});
    a.qp.post_send(datagram(0, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kLocalProtectionError);
    EXPECT_EQ(wc.wr_id, 6u);
    EXPECT_EQ(b.qp.state(), QpState::kError);
}

TEST_F(Datagram, AddressHandlesAreNeverNumberedZero) {
    EXPECT_NE(ah.number, 0u);
}

}  // namespace
}  // namespace vrdma::embedded::test
