// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The objects of a guest are the same in a successor of the RNIC.
#include <set>

#include "kernel_memory.h"
#include "machine.h"

namespace vrdma::embedded::test {
namespace {

constexpr rnic::Gid kCrowd{0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

class SuccessorObjects : public HandOver {
  protected:
    WcStatus status(Machine& machine, ClientQp& qp, const SendWr& wr) {
        qp.post_send(wr);
        settle();
        return status_of(only_completion(machine.send_cq()));
    }
    static void ready(ClientQp& qp) {
        to_init(qp);
        to_rtr(qp, {}, 0);
        to_rts(qp);
    }
    static SendWr bind_wr(const ClientMr& region, uint32_t current, uint32_t key) {
        SendWr wr{.wr_id = 5, .opcode = WrOpcode::kBindWindow};
        wr.remote_address = region.iova + 4096;
        wr.rkey = key;
        wr.bind = {
            .length = 1024, .lkey = region.lkey(), .window = current, .access = kAccessRemoteWrite};
        return wr;
    }
};

TEST_F(SuccessorObjects, NumbersKeysAndAttributesAreTheSame) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b, {.min_rnr_timer = 9, .timeout = 11, .retry_cnt = 5});
    const uint32_t number = a.number();
    const uint32_t key = alice.mr().lkey();
    const rnic::QpAttributes before = a.query();
    hand_over();
    EXPECT_EQ(a.number(), number);
    EXPECT_EQ(alice.mr().lkey(), key);
    const rnic::QpAttributes after = a.query();
    EXPECT_EQ(after.qp_state, before.qp_state);
    EXPECT_EQ(after.dest_qp_num, b.number());
    EXPECT_EQ(after.timeout, 11u);
    EXPECT_EQ(after.retry_cnt, 5u);
    EXPECT_EQ(after.min_rnr_timer, before.min_rnr_timer);
    EXPECT_EQ(after.qp_access_flags, before.qp_access_flags);
    EXPECT_EQ(after.ah.dgid, before.ah.dgid);
    EXPECT_EQ(after.cap.max_send_wr, before.cap.max_send_wr);
    EXPECT_EQ(after.cap.max_inline_data, before.cap.max_inline_data);
}

TEST_F(SuccessorObjects, KeysAreGivenOutAsTheFormerRnicWouldHave) {
    std::vector<std::byte> memory(4096);
    std::set<uint32_t> old;
    for (int n = 0; n < 40; ++n) {
        old.insert(alice.guest.reg_mr(memory, kAllAccess).rkey());
    }
    hand_over();
    for (int n = 0; n < 40; ++n) {
        EXPECT_FALSE(old.contains(alice.guest.reg_mr(memory, kAllAccess).rkey()));
    }
}

TEST_F(SuccessorObjects, QueuePairNumbersOfBeforeAreNotGivenOut) {
    std::set<uint32_t> old;
    alice.add_qp();
    for (int n = 0; n < 600; ++n) {
        old.insert(bob.guest.make_qp(bob.send_cq(), bob.recv_cq()).number());
    }
    old.insert(alice.qps.front().number());
    hand_over();
    for (int n = 0; n < 600; ++n) {
        EXPECT_FALSE(old.contains(bob.guest.make_qp(bob.send_cq(), bob.recv_cq()).number()));
    }
}

TEST_F(SuccessorObjects, AnSrqKeepsItsRequestsAndItsLimit) {
    ClientSrq& srq = bob.add_srq();
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp({}, &srq);
    connect(a, b);
    for (uint32_t wr_id = 1; wr_id <= 3; ++wr_id) {
        ASSERT_TRUE(srq.post(wr_id, std::array{bob.mr().sge(0, 64)}));
    }
    rnic::Udata udata;
    ASSERT_TRUE(srq.object->modify(kSrqAttrLimit, {.srq_limit = 2}, udata));
    EXPECT_EQ(status(alice, a, send_wr(0, 64)), WcStatus::kSuccess);
    hand_over();
    const auto attributes = srq.object->query().value();
    EXPECT_EQ(attributes.max_wr, 15u);
    EXPECT_EQ(attributes.max_sge, 2u);
    EXPECT_EQ(attributes.srq_limit, 2u);
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kSrqLimitReached, srq.handle), 0u);
    EXPECT_EQ(status(alice, a, send_wr(0, 64)), WcStatus::kSuccess);
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kSrqLimitReached, srq.handle), 1u);
    EXPECT_EQ(bob.recv_cq().poll().value().wr_id, 1u);
    EXPECT_EQ(bob.recv_cq().poll().value().wr_id, 2u);
}

TEST_F(SuccessorObjects, AddressHandlesAndDatagramsWork) {
    ClientQp& a = alice.add_qp({.type = QpType::kUd});
    ClientQp& b = bob.add_qp({.type = QpType::kUd});
    ready(a);
    ready(b);
    alice.guest.make_ah(bob.guest.gid());  // its number is free again
    ClientAh& ah = alice.add_ah(bob.guest.gid());
    ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 200)}));
    hand_over();
    SendWr wr = send_wr(0, 100);
    wr.remote_qpn = b.number();
    wr.remote_qkey = ConnectOptions{}.qkey;
    wr.ah_number = ah.number;
    EXPECT_EQ(status(alice, a, wr), WcStatus::kSuccess);
    EXPECT_EQ(only_completion(bob.recv_cq()).src_qp, a.number());
    EXPECT_NE(alice.guest.make_ah(bob.guest.gid()).number, ah.number);
}

TEST_F(SuccessorObjects, GeneralServicesHaveQueuePairOne) {
    ClientQp& a = alice.add_qp({.type = QpType::kGsi});
    ClientQp& b = bob.add_qp({.type = QpType::kGsi});
    ready(a);
    ready(b);
    ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 400)}));
    hand_over();
    EXPECT_EQ(a.number(), kGsiQpNumber);
    SendWr wr = send_wr(0, 256);
    wr.remote_qpn = kGsiQpNumber;
    wr.remote_qkey = kGsiQkey;
    wr.address = alice.guest.path_to(bob.guest.gid());
    EXPECT_EQ(status(alice, a, wr), WcStatus::kSuccess);
    EXPECT_EQ(status_of(only_completion(bob.recv_cq())), WcStatus::kSuccess);
}

TEST_F(SuccessorObjects, WindowsStayBoundAsTheyWere) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b);
    for (const uint8_t type : {uint8_t{1}, uint8_t{2}}) {
        const uint32_t key = bob.add_mw(type).rkey();
        ASSERT_EQ(status(bob, b, bind_wr(bob.mr(), key, key + 1)), WcStatus::kSuccess);
    }
    const uint32_t unbound = bob.add_mw(2).rkey();
    hand_over();
    EXPECT_EQ(bob.mws[2]->rkey(), unbound);
    for (const auto& window : {&bob.mws[0], &bob.mws[1]}) {
        SendWr wr = write_wr(0, 4096, 1024);
        wr.rkey = (*window)->rkey() + 1;
        EXPECT_EQ(status(alice, a, wr), WcStatus::kSuccess);
    }
    EXPECT_EQ(to_int(bob.mr().object->deregister().error()), EBUSY);
    EXPECT_EQ(status(bob, b, bind_wr(bob.mr(), unbound, unbound + 3)), WcStatus::kSuccess);
    SendWr beyond = write_wr(0, 4096, 1025);
    beyond.rkey = bob.mws[1]->rkey() + 1;
    EXPECT_EQ(status(alice, a, beyond), WcStatus::kRemoteAccessError);
}

TEST_F(SuccessorObjects, AWindowOfTypeTwoIsItsQueuePairsOnly) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    ClientQp& other = bob.add_qp();
    connect(a, b);
    connect(alice.add_qp(), other);
    const uint32_t key = bob.add_mw(2).rkey();
    ASSERT_EQ(status(bob, b, bind_wr(bob.mr(), key, key + 1)), WcStatus::kSuccess);
    hand_over();
    EXPECT_EQ(status(bob, other, local_invalidate_wr(key + 1)), WcStatus::kMemoryManagementError);
    EXPECT_EQ(status(bob, b, local_invalidate_wr(key + 1)), WcStatus::kSuccess);
    EXPECT_TRUE(bob.mr().object->deregister());
}

TEST_F(SuccessorObjects, RegisteredPagesStayRegistered) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b);
    uint64_t description = 0;
    ClientMr& fast = bob.add_fast_mr(4, description);
    const std::array<uint64_t, 2> pages{bob.ram.allocate(8192, 4096) + 4096,
                                        bob.ram.allocate(4096, 4096)};
    const vrdma_fast_reg header{.iova = htole64(0x5000),
                                .length = htole64(8192),
                                .page_size = htole32(4096),
                                .page_count = htole32(2)};
    std::memcpy(bob.ram.host(description, 64), &header, sizeof(header));
    std::memcpy(bob.ram.host(description + sizeof(header), 16), pages.data(), 16);
    ASSERT_EQ(status(bob, b, reg_mr_wr(fast.rkey(), kAllAccess)), WcStatus::kSuccess);
    hand_over();
    const auto data = pattern(8192);
    alice.fill(0, data);
    SendWr wr = write_wr(0, 0, 8192);
    wr.remote_address = 0x5000;
    wr.rkey = fast.rkey();
    EXPECT_EQ(status(alice, a, wr), WcStatus::kSuccess);
    EXPECT_EQ(bob.ram.load(pages[0], 4096),
              std::vector<std::byte>(data.begin(), data.begin() + 4096));
    EXPECT_EQ(bob.ram.load(pages[1], 4096),
              std::vector<std::byte>(data.begin() + 4096, data.end()));
    // The description is where it was, and the key is invalidated as it was.
    EXPECT_EQ(status(bob, b, local_invalidate_wr(fast.rkey())), WcStatus::kSuccess);
    EXPECT_EQ(status(bob, b, reg_mr_wr(fast.rkey() + 1, kAllAccess)), WcStatus::kSuccess);
    EXPECT_EQ(status(alice, a, wr), WcStatus::kRemoteAccessError);
}

TEST_F(SuccessorObjects, AnInvalidatedKeyStaysInvalid) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b);
    uint64_t description = 0;
    ClientMr& fast = bob.add_fast_mr(1, description);
    const uint64_t page = bob.ram.allocate(4096, 4096);
    const vrdma_fast_reg header{
        .iova = 0, .length = htole64(4096), .page_size = htole32(4096), .page_count = htole32(1)};
    std::memcpy(bob.ram.host(description, 64), &header, sizeof(header));
    std::memcpy(bob.ram.host(description + sizeof(header), 8), &page, 8);
    ASSERT_EQ(status(bob, b, reg_mr_wr(fast.rkey(), kAllAccess)), WcStatus::kSuccess);
    ASSERT_EQ(status(bob, b, local_invalidate_wr(fast.rkey())), WcStatus::kSuccess);
    hand_over();
    SendWr wr = write_wr(0, 0, 16);
    wr.remote_address = 0;
    wr.rkey = fast.rkey();
    EXPECT_EQ(status(alice, a, wr), WcStatus::kRemoteAccessError);
}

TEST_F(SuccessorObjects, ARegionOfAllMemoryIsThere) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b);
    const uint32_t key = bob.add_dma_mr().rkey();
    hand_over();
    alice.fill(0, pattern(64));
    const uint64_t page = bob.ram.allocate(4096, 4096);
    SendWr wr = write_wr(0, 0, 64);
    wr.remote_address = page;
    wr.rkey = key;
    EXPECT_EQ(status(alice, a, wr), WcStatus::kSuccess);
    EXPECT_EQ(bob.ram.load(page, 64), pattern(64));
}

TEST_F(SuccessorObjects, AnArmedCqSendsItsEventOnce) {
    ClientCq& armed = bob.add_cq(15, 3);
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp({}, nullptr, &armed);
    connect(a, b);
    ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 64)}));
    ASSERT_TRUE(b.post_recv(2, std::array{bob.mr().sge(0, 64)}));
    armed.arm(VRDMA_CQ_ARM_NEXT);
    hand_over();
    settle();
    EXPECT_EQ(bob.guest.sink.completions_of(armed.handle), 0u);
    EXPECT_EQ(status(alice, a, send_wr(0, 64)), WcStatus::kSuccess);
    EXPECT_EQ(status(alice, a, send_wr(0, 64)), WcStatus::kSuccess);
    EXPECT_EQ(bob.guest.sink.completions_of(armed.handle), 1u);
    EXPECT_EQ(bob.guest.sink.last_vector(), 3u);
}

// The worker looks at some CQs a turn.
TEST_F(SuccessorObjects, ArmingsThatAreTakenAndNotLookedAtAreNotLost) {
    std::vector<ClientCq*> armed;
    for (int n = 0; n < 40; ++n) {
        ClientCq& cq = *armed.emplace_back(&bob.add_cq(3));
        ClientQp& a = alice.add_qp();
        ClientQp& b = bob.add_qp({}, nullptr, &cq);
        connect(a, b);
        ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 64)}));
        ASSERT_EQ(status(alice, a, send_wr(0, 64)), WcStatus::kSuccess);
    }
    for (const ClientCq* cq : armed) {
        cq->arm(VRDMA_CQ_ARM_NEXT);
    }
    ASSERT_TRUE(rnic->poll_once());
    ASSERT_EQ(bob.guest.sink.completions_of(armed.back()->handle), 0u);
    hand_over();
    settle();
    for (const ClientCq* cq : armed) {
        EXPECT_EQ(bob.guest.sink.completions_of(cq->handle), 1u);
    }
}

TEST_F(SuccessorObjects, AFailedCqStaysSoAndItsQueuePairsFail) {
    ClientCq& small = bob.add_cq(1);
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp({}, nullptr, &small);
    ClientQp& idle = bob.add_qp({}, nullptr, &small);
    connect(a, b);
    connect(alice.add_qp(), idle);
    for (int n = 0; n < 3; ++n) {
        ASSERT_TRUE(b.post_recv(1, std::array{bob.mr().sge(0, 64)}));
        a.post_send(send_wr(0, 64));
    }
    // The worker has not looked for the other queue pairs of the CQ yet.
    while (bob.guest.sink.events(rnic::AsyncEventType::kCqError, small.handle) == 0) {
        ASSERT_TRUE(rnic->poll_once());
    }
    hand_over();
    settle();
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kCqError, small.handle), 1u);
    EXPECT_EQ(b.state(), QpState::kError);
    EXPECT_EQ(idle.state(), QpState::kError);
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kQpFatal, idle.handle), 1u);
}

TEST_F(SuccessorObjects, ADrainedQueuePairDoesNotReportAgain) {
    ClientQp& a = alice.add_qp();
    connect(a, bob.add_qp());
    rnic::QpAttributes drain;
    drain.qp_state = static_cast<uint8_t>(QpState::kSendQueueDrained);
    drain.en_sqd_async_notify = 1;
    ASSERT_TRUE(a.modify(kAttrState | kAttrSqdNotify, drain));
    settle();
    ASSERT_EQ(alice.guest.sink.events(rnic::AsyncEventType::kSqDrained, a.handle), 1u);
    hand_over();
    settle();
    EXPECT_EQ(a.state(), QpState::kSendQueueDrained);
    EXPECT_EQ(alice.guest.sink.events(rnic::AsyncEventType::kSqDrained, a.handle), 1u);
}

TEST_F(SuccessorObjects, EventsThatComeOnceDoNotComeAgain) {
    ClientSrq& srq = bob.add_srq();
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp({}, &srq);
    connect(a, bob.guest.gid(), b.number());
    to_init(b);
    to_rtr(b, alice.guest.gid(), a.number());
    ASSERT_EQ(status(alice, a, write_wr(0, 0, 64)), WcStatus::kSuccess);
    hand_over();
    ASSERT_EQ(status(alice, a, write_wr(0, 0, 64)), WcStatus::kSuccess);
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kCommunicationEstablished, b.handle), 1u);

    rnic::QpAttributes error;
    error.qp_state = static_cast<uint8_t>(QpState::kError);
    ASSERT_TRUE(b.modify(kAttrState, error));
    settle();
    hand_over();
    settle();
    EXPECT_EQ(bob.guest.sink.events(rnic::AsyncEventType::kQpLastWqeReached, b.handle), 1u);
}

// A turn does not reach all members.
TEST_F(SuccessorObjects, AMulticastDatagramReachesEachMemberOnce) {
    ClientQp& a = alice.add_qp({.type = QpType::kUd});
    ready(a);
    ClientAh& ah = alice.add_ah(kCrowd);
    std::vector<ClientQp*> members;
    for (int n = 0; n < 50; ++n) {
        ClientQp& member = bob.add_qp({.type = QpType::kUd});
        ready(member);
        ASSERT_TRUE(member.object->attach_mcast(kCrowd, 0));
        ASSERT_TRUE(member.post_recv(1, std::array{bob.mr().sge(0, 200)}));
        members.push_back(&member);
    }
    // The numbers of members have gaps.
    ASSERT_TRUE(members.front()->object->detach_mcast(kCrowd, 0));
    SendWr wr = send_wr(0, 64);
    wr.remote_qpn = kMulticastQpNumber;
    wr.remote_qkey = ConnectOptions{}.qkey;
    wr.ah_number = ah.number;
    a.post_send(wr);
    ASSERT_TRUE(rnic->poll_once());
    ASSERT_FALSE(alice.send_cq().poll().has_value());
    hand_over({&bob, &alice});
    settle();
    EXPECT_EQ(status_of(only_completion(alice.send_cq())), WcStatus::kSuccess);
    std::multiset<uint32_t> reached;
    while (const auto wc = bob.recv_cq().poll()) {
        reached.insert(wc->qp_num);
    }
    EXPECT_EQ(reached.size(), members.size() - 1);
    EXPECT_EQ(std::set<uint32_t>(reached.begin(), reached.end()).size(), members.size() - 1);
    EXPECT_TRUE(members.back()->object->detach_mcast(kCrowd, 0));
}

TEST_F(SuccessorObjects, AnAddressStaysWithTheGuestThatClaimedItFirst) {
    const rnic::Gid shared = Guest::gid_of(77);
    ASSERT_TRUE(alice.guest.port->add_gid(5, shared, 2, rnic::kNoVlan));
    ASSERT_TRUE(bob.guest.port->add_gid(5, shared, 2, rnic::kNoVlan));
    ClientQp& b = bob.add_qp({.type = QpType::kUd});
    ClientQp& a = alice.add_qp({.type = QpType::kUd});
    ready(a);
    ready(b);
    ASSERT_TRUE(a.post_recv(1, std::array{alice.mr().sge(0, 200)}));
    ClientAh& ah = bob.add_ah(shared);
    hand_over({&bob, &alice});
    SendWr wr{.wr_id = 7, .opcode = WrOpcode::kSend, .sges = {bob.mr().sge(0, 64)}};
    wr.remote_qpn = a.number();
    wr.remote_qkey = ConnectOptions{}.qkey;
    wr.ah_number = ah.number;
    EXPECT_EQ(status(bob, b, wr), WcStatus::kSuccess);
    EXPECT_EQ(status_of(only_completion(alice.recv_cq())), WcStatus::kSuccess);
}

TEST_F(SuccessorObjects, NewObjectsComeBesideTheOldOnes) {
    ClientQp& a = alice.add_qp();
    ClientQp& b = bob.add_qp();
    connect(a, b);
    hand_over();
    ClientCq cq = bob.guest.make_cq(1000);
    ClientQp later = bob.guest.make_qp(cq, cq, {.send_wr = 500});
    ClientQp& mine = alice.add_qp();
    connect(mine, later);
    ASSERT_TRUE(later.post_recv(4, std::array{bob.mr().sge(0, 64)}));
    EXPECT_EQ(status(alice, mine, send_wr(0, 64)), WcStatus::kSuccess);
    EXPECT_EQ(only_completion(cq).wr_id, 4u);
    EXPECT_EQ(status(alice, a, write_wr(0, 0, 64)), WcStatus::kSuccess);
    later.object.reset();
}

TEST_F(SuccessorObjects, UsageIsCountedAgain) {
    alice.add_qp();
    alice.add_srq();
    alice.add_mw(1);
    alice.add_ah(bob.guest.gid());
    const EmbeddedCounters before = rnic->counters();
    hand_over();
    EXPECT_EQ(rnic->counters(), before);
}

}  // namespace
}  // namespace vrdma::embedded::test
