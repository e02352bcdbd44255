// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The general services' queue pair, and datagrams that carry their address themselves,
// as those of a kernel do.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class GeneralServices : public TwoGuests {
  protected:
    GeneralServices() : TwoGuests({.type = QpType::kGsi}) {
        ready(a.qp);
        ready(b.qp);
    }

    static void ready(ClientQp& qp) {
        to_init(qp);
        to_rtr(qp, {}, 0);
        to_rts(qp);
    }
    SendWr mad(const Guest& to, uint32_t length) const {
        SendWr wr = send_wr(0, length);
        wr.remote_qpn = kGsiQpNumber;
        wr.remote_qkey = kGsiQkey;
        wr.address = a.guest.path_to(to.gid());
        return wr;
    }
    Errno try_create(End& end) {
        std::vector<std::byte> out(64);
        rnic::Udata udata{.in = {}, .out = out};
        rnic::Context::QpInit init;
        init.pd = &end.guest.pd();
        init.send_cq = end.send_cq.object.get();
        init.recv_cq = end.recv_cq.object.get();
        init.qp_type = static_cast<uint8_t>(QpType::kGsi);
        init.cap = {15, 15, 1, 1, 0};
        auto qp = end.guest.context->create_qp(500, init, udata);
        return qp ? Errno{0} : qp.error();
    }
};

TEST_F(GeneralServices, IsQueuePairOneOfEachPort) {
    EXPECT_EQ(a.qp.number(), 1u);
    EXPECT_EQ(b.qp.number(), 1u);
}

TEST_F(GeneralServices, ReachesThePortThatHasTheGid) {
    const auto data = pattern(256);
    a.fill(0, data);
    b.post_recv(4, 1000, 296);
    a.qp.post_send(mad(b.guest, 256));
    settle();
    EXPECT_EQ(b.bytes(1040, 256), data);
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
    EXPECT_EQ(wc.byte_len, 296u);
    EXPECT_EQ(wc.src_qp, 1u);
    EXPECT_EQ(wc.qp_num, 1u);
    EXPECT_EQ(wc.wc_flags, kWcGrh);
    EXPECT_EQ(wc.port_num, 1u);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(GeneralServices, ReachesItselfByItsOwnGid) {
    a.post_recv(1, 1000, 296);
    a.qp.post_send(mad(a.guest, 100));
    settle();
    EXPECT_EQ(only_completion(a.recv_cq).byte_len, 140u);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(GeneralServices, HasTheWellKnownKeyWhateverItWasGiven) {
    b.post_recv(1, 0, 296);
    SendWr wr = mad(b.guest, 8);
    wr.remote_qkey = ConnectOptions{}.qkey;
    a.qp.post_send(wr);
    settle();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
    // The top bit says: the sender's own, which is the same.
    wr.remote_qkey = 0x80000000;
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, 48u);
}

TEST_F(GeneralServices, AnOrdinaryQueuePairCannotPoseAsOne) {
    auto other = a.guest.make_qp(a.send_cq, a.recv_cq, {.type = QpType::kUd});
    ready(other);
    b.post_recv(1, 0, 296);
    other.post_send(mad(b.guest, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(GeneralServices, ThereIsOneOfAPortAtATime) {
    EXPECT_EQ(try_create(a), Errno{EBUSY});
    a.qp.object.reset();
    EXPECT_EQ(try_create(a), Errno{0});
}

TEST_F(GeneralServices, DatagramsToAPortWithoutOneAreLost) {
    b.qp.object.reset();
    a.qp.post_send(mad(b.guest, 8));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(GeneralServices, ReceivesPostedInTheErrorStateAreFlushedWhenTheDoorbellRings) {
    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(a.qp.modify(kAttrState, error));
    settle();
    a.post_recv(9, 0, 100);
    a.qp.ring_doorbell();
    settle();
    const auto wc = only_completion(a.recv_cq);
    EXPECT_EQ(status_of(wc), WcStatus::kFlushed);
    EXPECT_EQ(wc.wr_id, 9u);
}

class AddressInTheRequest : public TwoGuests {
  protected:
    AddressInTheRequest() : TwoGuests({.type = QpType::kUd}) {
        for (ClientQp* qp : {&a.qp, &b.qp}) {
            to_init(*qp);
            to_rtr(*qp, {}, 0);
            to_rts(*qp);
        }
    }
    SendWr datagram(const rnic::AhAttributes& address) const {
        SendWr wr = send_wr(0, 8);
        wr.remote_qpn = b.qp.number();
        wr.remote_qkey = ConnectOptions{}.qkey;
        wr.address = address;
        return wr;
    }
    void expect_error(const rnic::AhAttributes& address) {
        a.qp.post_send(datagram(address));
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
        EXPECT_EQ(a.qp.state(), QpState::kSendQueueError);
    }
};

TEST_F(AddressInTheRequest, LeadsToThePeer) {
    b.post_recv(1, 0, 100);
    rnic::AhAttributes address = a.guest.path_to(b.guest.gid());
    address.hop_limit = 33;
    a.qp.post_send(datagram(address));
    settle();
    EXPECT_EQ(only_completion(b.recv_cq).byte_len, 48u);
    EXPECT_EQ(static_cast<uint8_t>(b.memory[20 + 8]), 33);  // of the IPv4 header
}

TEST_F(AddressInTheRequest, FromAGidThatIsNotThereIsALocalQpOperationError) {
    rnic::AhAttributes address = a.guest.path_to(b.guest.gid());
    address.sgid_index = 7;
    expect_error(address);
}

TEST_F(AddressInTheRequest, FromAPortThatIsNotThereIsALocalQpOperationError) {
    rnic::AhAttributes address = a.guest.path_to(b.guest.gid());
    address.port = 2;
    expect_error(address);
}

}  // namespace
}  // namespace vrdma::embedded::test
