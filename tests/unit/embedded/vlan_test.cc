// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// VLANs: each is a network of its own, and a receiver learns in which one a datagram came.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

constexpr uint16_t kVlan = 100;
constexpr uint8_t kIndex = 1;

const rnic::Gid kAlice = Guest::gid_of(11);
const rnic::Gid kBob = Guest::gid_of(12);

class Vlan : public TwoGuests {
  protected:
    Vlan() : TwoGuests({.type = QpType::kGsi}) {
        for (ClientQp* qp : {&a.qp, &b.qp}) {
            to_init(*qp);
            to_rtr(*qp, {}, 0);
            to_rts(*qp);
        }
    }
    void place(uint16_t alice, uint16_t bob) {
        ASSERT_TRUE(a.guest.port->add_gid(kIndex, kAlice, 2, alice));
        ASSERT_TRUE(b.guest.port->add_gid(kIndex, kBob, 2, bob));
    }
    void send() {
        b.post_recv(1, 0, 296);
        SendWr wr = send_wr(0, 8);
        wr.remote_qpn = kGsiQpNumber;
        wr.remote_qkey = kGsiQkey;
        wr.address = a.guest.path_to(kBob);
        wr.address->sgid_index = kIndex;
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    }
};

TEST_F(Vlan, ADatagramSaysInWhichItCame) {
    place(kVlan, kVlan);
    send();
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wc_flags, kWcGrh | kWcWithVlan);
    EXPECT_EQ(wc.slid, kVlan);
}

TEST_F(Vlan, ADatagramDoesNotReachAnother) {
    place(kVlan, kVlan + 1);
    send();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(Vlan, ADatagramOfOneDoesNotReachWhoHasNone) {
    place(kVlan, rnic::kNoVlan);
    send();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(Vlan, ADatagramOfNoneDoesNotReachWhoHasOne) {
    place(rnic::kNoVlan, kVlan);
    send();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

// The receiver's core looks for a GID of the VLAN's netdev only if there is one.
TEST_F(Vlan, IdZeroIsAPriorityAndNoVlan) {
    place(0, rnic::kNoVlan);
    send();
    EXPECT_EQ(only_completion(b.recv_cq).wc_flags, kWcGrh);
}

TEST_F(Vlan, WhoHasIdZeroOnlyIsToldSo) {
    place(rnic::kNoVlan, 0);
    send();
    const auto wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wc_flags, kWcGrh | kWcWithVlan);
    EXPECT_EQ(wc.slid, 0);
}

TEST_F(Vlan, OneAddressIsAnotherPortInEach) {
    End c{*rnic, "carol", 3, {.type = QpType::kGsi}};
    ASSERT_TRUE(c.guest.port->add_gid(kIndex, kBob, 2, kVlan + 1));
    place(kVlan, kVlan);
    send();
    EXPECT_EQ(only_completion(b.recv_cq).slid, kVlan);
}

TEST_F(Vlan, AnIdThatNoFrameHasIsRefused) {
    EXPECT_EQ(a.guest.port->add_gid(kIndex, kAlice, 2, 4095).error(), Errno{EINVAL});
}

class ConnectedVlan : public TwoGuests {
  protected:
    void connect_in(uint16_t alice, uint16_t bob) {
        ASSERT_TRUE(a.guest.port->add_gid(0, a.guest.gid(), 2, alice));
        ASSERT_TRUE(b.guest.port->add_gid(0, b.guest.gid(), 2, bob));
        connect(a.qp, b.guest.gid(), b.qp.number(), {.retry_cnt = 0});
        connect(b.qp, a.guest.gid(), a.qp.number());
        a.qp.post_send(write_wr(0, 100, 8));
        settle();
        clock->advance(1'000'000'000);
        settle();
    }
};

TEST_F(ConnectedVlan, ConnectsWithin) {
    connect_in(kVlan, kVlan);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(ConnectedVlan, DoesNotConnectWithAnother) {
    connect_in(kVlan, kVlan + 1);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRetryExceeded);
}

}  // namespace
}  // namespace vrdma::embedded::test
