// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Whose address it is: guests choose their addresses themselves, within the operator's rules.
#include <gmock/gmock.h>

#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

using ::testing::HasSubstr;

// Alice writes to Bob; Mallory comes later. The log is kept.
class Addresses : public ::testing::Test {
  protected:
    explicit Addresses(std::map<std::string, rnic::GuestAdmission> guests = {}) {
        EmbeddedConfig config;
        config.threads = 0;
        config.clock = clock;
        config.guests = std::move(guests);
        rnic = make_embedded_rnic(config, log.logger());
    }

    void settle() {
        while (rnic->poll_once()) {
        }
        clock->advance(1'000'000'000);
        while (rnic->poll_once()) {
        }
    }
    WcStatus write(End& from, const End& to) {
        from.qp.post_send({.opcode = WrOpcode::kRdmaWrite,
                           .remote_address = to.mr.iova,
                           .rkey = to.mr.rkey(),
                           .sges = {from.mr.sge(0, 8)}});
        settle();
        return status_of(only_completion(from.send_cq));
    }

    vrdma::test::CapturedLog log;
    std::shared_ptr<FakeClock> clock = std::make_shared<FakeClock>();
    std::unique_ptr<EmbeddedRnic> rnic;
};

TEST_F(Addresses, BelongToTheFirstGuestThatClaimsThem) {
    End alice(*rnic, "alice", 1);
    End bob(*rnic, "bob", 2);
    connect(alice.qp, bob.qp);
    ASSERT_EQ(write(alice, bob), WcStatus::kSuccess);

    End mallory(*rnic, "mallory", 66);
    ASSERT_TRUE(mallory.guest.port->add_gid(1, Guest::gid_of(2), 2)) << "it is no error";
    EXPECT_THAT(log.str(), HasSubstr("mallory: the address 10.0.0.2 belongs to the guest "
                                     "'bob'"));
    EXPECT_EQ(write(alice, bob), WcStatus::kSuccess) << "the connection does not break";
    EXPECT_EQ(write(bob, alice), WcStatus::kSuccess);
}

TEST_F(Addresses, GoToTheNextGuestWhenTheFirstOneLetsGo) {
    End alice(*rnic, "alice", 1);
    End bob(*rnic, "bob", 2);
    End carol(*rnic, "carol", 3);
    ASSERT_TRUE(carol.guest.port->add_gid(0, Guest::gid_of(2), 2));
    connect(alice.qp, bob.guest.gid(), carol.qp.number(), {.retry_cnt = 0});
    connect(carol.qp, alice.guest.gid(), alice.qp.number());
    ASSERT_TRUE(bob.guest.port->del_gid(0));
    EXPECT_EQ(write(alice, carol), WcStatus::kSuccess);
}

TEST_F(Addresses, KeepTheirPlaceWhenTheyReplaceThemselves) {
    End alice(*rnic, "alice", 1);
    End bob(*rnic, "bob", 2);
    connect(alice.qp, bob.qp);
    End mallory(*rnic, "mallory", 66);
    ASSERT_TRUE(mallory.guest.port->add_gid(0, Guest::gid_of(2), 2));
    ASSERT_TRUE(bob.guest.port->add_gid(0, Guest::gid_of(2), 2));
    EXPECT_EQ(write(alice, bob), WcStatus::kSuccess);
}

TEST_F(Addresses, OfOthersAreNoSourceOfDatagrams) {
    const QpOptions options{.type = QpType::kUd};
    End alice(*rnic, "alice", 1, options);
    End bob(*rnic, "bob", 2, options);
    End mallory(*rnic, "mallory", 66, options);
    for (End* end : {&bob, &mallory}) {
        connect(end->qp, {}, 0);
    }
    const auto send = [&](uint8_t source) {
        bob.post_recv(0, 0, 4096);
        rnic::AhAttributes address = mallory.guest.path_to(bob.guest.gid());
        address.sgid_index = source;
        mallory.qp.post_send({.remote_qpn = bob.qp.number(),
                              .remote_qkey = ConnectOptions{}.qkey,
                              .address = address,
                              .sges = {mallory.mr.sge(0, 8)}});
        settle();
        EXPECT_EQ(status_of(only_completion(mallory.send_cq)), WcStatus::kSuccess)
            << "a datagram that is lost is no error";
        return bob.recv_cq.poll().has_value();
    };
    ASSERT_TRUE(mallory.guest.port->add_gid(1, alice.guest.gid(), 2));
    EXPECT_TRUE(send(0));
    EXPECT_FALSE(send(1)) << "Alice has that address";
    ASSERT_TRUE(alice.guest.port->del_gid(0));
    EXPECT_TRUE(send(1));
}

struct RuledAddresses : Addresses {
    RuledAddresses()
        : Addresses({{"alice", {"red", {}}},
                     {"bob", {"red", {}}},
                     {"carol", {"blue", {}}},
                     {"mallory",
                      {"red", [](const rnic::Gid& gid) { return gid == Guest::gid_of(66); }}}}) {}
};

TEST_F(RuledAddresses, ThatAGuestMayNotUseAreRefused) {
    Guest mallory(*rnic, "mallory", 66);
    EXPECT_EQ(mallory.port->add_gid(1, Guest::gid_of(2), 2).error(), Errno{EACCES});
    EXPECT_THAT(log.str(), HasSubstr("mallory: the address 10.0.0.2 is not among the "
                                     "'gids'"));
}

TEST_F(RuledAddresses, AreThoseOfTheAdmissionThatWasTheLast) {
    rnic->admit("dave", {.network = "green",
                         .allows = [](const rnic::Gid& gid) { return gid == Guest::gid_of(7); }});
    EXPECT_TRUE(Guest(*rnic, "dave", 7).port->add_gid(1, Guest::gid_of(7), 2));
    EXPECT_EQ(Guest(*rnic, "dave", 7).port->add_gid(1, Guest::gid_of(8), 2).error(), Errno{EACCES});
    rnic->dismiss("dave");
    EXPECT_TRUE(Guest(*rnic, "dave", 7).port->add_gid(1, Guest::gid_of(8), 2));
}

TEST_F(RuledAddresses, MeanSomethingElseInAnotherNetwork) {
    End alice(*rnic, "alice", 1);
    End bob(*rnic, "bob", 2);
    End carol(*rnic, "carol", 2);
    connect(alice.qp, bob.qp);
    EXPECT_EQ(write(alice, bob), WcStatus::kSuccess);
    EXPECT_EQ(log.str().find("belongs"), std::string::npos);

    // Nobody of another network is reached.
    ClientQp other = alice.guest.make_qp(alice.send_cq, alice.recv_cq);
    connect(other, carol.guest.gid(), carol.qp.number(), {.retry_cnt = 0});
    connect(carol.qp, alice.guest.gid(), other.number());
    other.post_send({.opcode = WrOpcode::kRdmaWrite,
                     .remote_address = carol.mr.iova,
                     .rkey = carol.mr.rkey(),
                     .sges = {alice.mr.sge(0, 8)}});
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq)), WcStatus::kRetryExceeded);
}

}  // namespace
}  // namespace vrdma::embedded::test
