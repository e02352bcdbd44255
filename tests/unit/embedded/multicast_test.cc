// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Datagrams to multicast groups (IBTA 1.4, 10.5).
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

constexpr rnic::Gid kGroup{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr rnic::Gid kOther{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

class Multicast : public TwoGuests {
  protected:
    Multicast() : TwoGuests({.type = QpType::kUd}), c(*rnic, "carol", 3, {.type = QpType::kUd}) {
        for (End* end : {&a, &b, &c}) {
            to_init(end->qp);
            to_rtr(end->qp, {}, 0);
            to_rts(end->qp);
            end->post_recv(1, 1000, 400);
        }
        ah = a.guest.make_ah(kGroup);
    }

    static Result<void> attach(End& end, const rnic::Gid& group = kGroup) {
        return end.qp.object->attach_mcast(group, 0);
    }
    void send(uint32_t qkey = ConnectOptions{}.qkey, uint32_t qpn = kMulticastQpNumber) {
        SendWr wr = send_wr(0, 200);
        wr.remote_qpn = qpn;
        wr.remote_qkey = qkey;
        wr.ah_number = ah.number;
        a.qp.post_send(wr);
        settle();
        EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    }

    End c;
    ClientAh ah;
};

TEST_F(Multicast, ReachesTheQueuePairsOfAllGuestsInTheGroup) {
    const auto data = pattern(200);
    a.fill(0, data);
    ASSERT_TRUE(attach(b));
    ASSERT_TRUE(attach(c));
    send();
    for (End* end : {&b, &c}) {
        const auto wc = only_completion(end->recv_cq);
        EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
        EXPECT_EQ(wc.src_qp, a.qp.number());
        EXPECT_EQ(wc.wc_flags, kWcGrh);
        EXPECT_EQ(wc.byte_len, 240u);
        EXPECT_EQ(end->bytes(1040, 200), data);
        // The header names the group.
        EXPECT_EQ(std::memcmp(end->memory.data() + 1024, kGroup.data(), kGroup.size()), 0);
    }
    EXPECT_FALSE(a.recv_cq.poll().has_value());
}

TEST_F(Multicast, ReachesTheSenderToo) {
    ASSERT_TRUE(attach(a));
    send();
    EXPECT_EQ(only_completion(a.recv_cq).src_qp, a.qp.number());
}

TEST_F(Multicast, ToAnotherGroupOrToAnotherQueuePairNumberIsLost) {
    ASSERT_TRUE(attach(b, kOther));
    send();
    ASSERT_TRUE(attach(b));
    send(ConnectOptions{}.qkey, b.qp.number());
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(Multicast, WithAnotherQkeyOrWithoutReceiveRequestIsLostForThatOneOnly) {
    ASSERT_TRUE(attach(b));
    ASSERT_TRUE(attach(c));
    send(0x4321);
    EXPECT_FALSE(b.recv_cq.poll().has_value());
    send();
    c.post_recv(2, 2000, 400);
    send();
    EXPECT_EQ(only_completion(b.recv_cq).wr_id, 1u);
    EXPECT_TRUE(c.recv_cq.poll().has_value());
    EXPECT_EQ(only_completion(c.recv_cq).wr_id, 2u);
}

TEST_F(Multicast, EndsWithDetachingAndWithTheQueuePair) {
    ASSERT_TRUE(attach(b));
    ASSERT_TRUE(attach(c));
    ASSERT_TRUE(b.qp.object->detach_mcast(kGroup, 0));
    EXPECT_EQ(b.qp.object->detach_mcast(kGroup, 0).error(), Errno{EINVAL});
    c.qp.object.reset();
    send();
    EXPECT_FALSE(b.recv_cq.poll().has_value());
}

TEST_F(Multicast, IsForDatagramQueuePairs) {
    ClientQp rc = b.guest.make_qp(b.send_cq, b.recv_cq);
    EXPECT_EQ(rc.object->attach_mcast(kGroup, 0).error(), Errno{EINVAL});
}

TEST_F(Multicast, ManyMembersOfOneGuestLeaveRoomForTheOthers) {
    std::vector<ClientQp> members;
    Result<void> attached;
    while (members.size() < 100) {
        members.push_back(b.guest.make_qp(b.send_cq, b.recv_cq, {.type = QpType::kUd}));
        attached = members.back().object->attach_mcast(kGroup, 0);
        if (!attached) {
            break;
        }
    }
    ASSERT_FALSE(attached);
    EXPECT_EQ(attached.error(), Errno{ENOMEM});
    EXPECT_TRUE(attach(c));
}

}  // namespace
}  // namespace vrdma::embedded::test
