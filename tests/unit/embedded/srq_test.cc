// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Shared receive queues (IBTA 1.4, 10.2.9).
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

using rnic::AsyncEventType;

class SharedReceiveQueue : public TwoGuests {
  protected:
    SharedReceiveQueue()
        : srq(b.guest.make_srq(15, 2)),
          first(b.guest.make_qp(b.send_cq, b.recv_cq, {}, &srq)),
          second(b.guest.make_qp(b.send_cq, b.recv_cq, {}, &srq)),
          other(a.guest.make_qp(a.send_cq, a.recv_cq)) {
        connect(a.qp, first);
        connect(other, second);
    }
    void post(uint64_t wr_id) {
        ASSERT_TRUE(srq.post(wr_id, std::array{b.mr.sge(wr_id * 64, 64)}));
    }
    Result<void> arm_limit(uint32_t limit) {
        // librxe always sends the address of its mmap information along.
        std::array<std::byte, sizeof(rxe_modify_srq_cmd)> command{};
        rnic::Udata udata{.in = command, .out = {}};
        return srq.object->modify(kSrqAttrLimit, {.max_wr = 0, .max_sge = 0, .srq_limit = limit},
                                  udata);
    }
    unsigned limit_events() {
        return b.guest.sink.events(AsyncEventType::kSrqLimitReached, srq.handle);
    }

    ClientSrq srq;
    ClientQp first;
    ClientQp second;
    ClientQp other;
};

TEST_F(SharedReceiveQueue, ServesItsQueuePairsInTheOrderOfArrival) {
    post(1);
    post(2);
    other.post_send(send_wr(0, 16));
    settle();
    a.qp.post_send(send_wr(0, 16));
    settle();
    auto wc = b.recv_cq.poll().value();
    EXPECT_EQ(wc.wr_id, 1u);
    EXPECT_EQ(wc.qp_num, second.number());
    wc = only_completion(b.recv_cq);
    EXPECT_EQ(wc.wr_id, 2u);
    EXPECT_EQ(wc.qp_num, first.number());
}

TEST_F(SharedReceiveQueue, QueuePairHasNoReceiveRingOfItsOwn) {
    EXPECT_FALSE(first.recv_ring.mapped());
    EXPECT_EQ(first.cap.max_recv_wr, 0u);
}

TEST_F(SharedReceiveQueue, WhenEmptyTheReceiverIsNotReady) {
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_FALSE(a.send_cq.poll().has_value());
    post(1);
    clock->advance(1'000'000);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(SharedReceiveQueue, ReportsTheLimitOnceWhenItIsCrossed) {
    for (uint64_t i = 0; i < 3; ++i) {
        post(i);
    }
    ASSERT_TRUE(arm_limit(2));
    EXPECT_EQ(limit_events(), 0u);
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(limit_events(), 0u);  // two are left
    a.qp.post_send(send_wr(0, 16));
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(limit_events(), 1u);
    EXPECT_EQ(srq.object->query().value().srq_limit, 0u);
}

TEST_F(SharedReceiveQueue, LimitAboveItsSizeIsRefused) {
    EXPECT_EQ(arm_limit(1000).error(), Errno{EINVAL});
}

class ResizedReceiveQueue : public SharedReceiveQueue {
  protected:
    // librxe reads where the new ring is from memory that it names.
    Result<uint32_t> resize(uint32_t max_wr, std::optional<uint32_t> limit = {}) {
        mminfo info{};
        std::vector<rnic::UdataRegion> regions(1);
        regions[0].length = sizeof(info);
        auto* bytes = reinterpret_cast<std::byte*>(&info);
        regions[0].pieces.push_back({.range = {bytes, 5}, .region = {}});
        regions[0].pieces.push_back({.range = {bytes + 5, sizeof(info) - 5}, .region = {}});
        rnic::Udata udata{.in = {}, .out = {}, .regions = regions};
        const uint32_t mask = limit ? kSrqAttrMaxWr | kSrqAttrLimit : kSrqAttrMaxWr;
        auto result = srq.object->modify(
            mask, {.max_wr = max_wr, .max_sge = 0, .srq_limit = limit.value_or(0)}, udata);
        if (!result) {
            return fail(result.error());
        }
        srq.ring = ClientRing(*b.guest.context, info);
        return srq.object->query().value().max_wr;
    }
};

TEST_F(ResizedReceiveQueue, KeepsItsRequestsAndTakesMore) {
    for (uint64_t id = 1; id <= 15; ++id) {
        post(id);
    }
    EXPECT_EQ(resize(40).value(), 63u);
    for (uint64_t id = 16; id <= 40; ++id) {
        post(id);
    }
    for (uint64_t id = 1; id <= 40; ++id) {
        a.qp.post_send(send_wr(0, 8));
        settle();
        EXPECT_EQ(only_completion(b.recv_cq).wr_id, id);
        (void)a.send_cq.poll();
    }
}

TEST_F(ResizedReceiveQueue, ThatWouldBeTooSmallStaysAsItWas) {
    for (uint64_t id = 1; id <= 8; ++id) {
        post(id);
    }
    EXPECT_EQ(resize(7).error(), Errno{EINVAL});
    EXPECT_EQ(resize(0).error(), Errno{EINVAL});
    EXPECT_EQ(srq.object->query().value().max_wr, 15u);
    a.qp.post_send(send_wr(0, 8));
    settle();
    EXPECT_EQ(only_completion(b.recv_cq).wr_id, 1u);
}

TEST_F(ResizedReceiveQueue, MayBeArmedForItsNewSize) {
    for (uint64_t id = 1; id <= 15; ++id) {
        post(id);
    }
    EXPECT_EQ(resize(31, 32).error(), Errno{EINVAL});
    ASSERT_TRUE(resize(31, 20));
    EXPECT_EQ(limit_events(), 1u);
}

TEST_F(SharedReceiveQueue, IsNotResizedWithoutAPlaceForTheAnswer) {
    rnic::Udata none;
    EXPECT_EQ(srq.object->modify(kSrqAttrMaxWr, {.max_wr = 31, .max_sge = 0, .srq_limit = 0}, none)
                  .error(),
              Errno{EINVAL});
}

TEST_F(SharedReceiveQueue, ErrorOfOneQueuePairLeavesTheRequestsToTheOthers) {
    post(1);
    SendWr bad = write_wr(0, 0, 16);
    bad.rkey = 0;
    a.qp.post_send(bad);
    settle();
    EXPECT_EQ(first.state(), QpState::kError);
    EXPECT_EQ(b.guest.sink.events(AsyncEventType::kQpLastWqeReached, first.handle), 1u);
    EXPECT_FALSE(b.recv_cq.poll().has_value());
    other.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(only_completion(b.recv_cq).wr_id, 1u);
}

TEST_F(SharedReceiveQueue, RequestsNameMemoryOfItsOwnProtectionDomain) {
    auto pd = b.guest.make_pd();
    auto mr = b.guest.reg_mr(b.memory, kAllAccess, Guest::kIova, pd.get());
    auto apart = b.guest.make_srq(15, 1, pd.get());
    auto receiver = b.guest.make_qp(b.send_cq, b.recv_cq, {}, &apart);  // of the usual domain
    auto sender = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(sender, receiver);
    apart.post(1, std::array{mr.sge(0, 64)});
    sender.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kSuccess);
}

}  // namespace
}  // namespace vrdma::embedded::test
