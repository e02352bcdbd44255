// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Completion queues: notification and overflow.
#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

using rnic::AsyncEventType;

class Completions : public TwoGuests {
  protected:
    Completions() { connect(a.qp, b.qp); }

    void send(bool solicited) {
        b.post_recv(1, 0, 16);
        SendWr wr = send_wr(0, 16);
        if (solicited) {
            wr.flags |= kSendSolicited;
        }
        a.qp.post_send(wr);
        settle();
    }
    unsigned notifications() { return b.guest.sink.completions_of(b.recv_cq.handle); }
};

TEST_F(Completions, AreSilentUnlessTheQueueIsArmed) {
    send(true);
    EXPECT_EQ(notifications(), 0u);
}

TEST_F(Completions, NotifyOncePerArming) {
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    send(false);
    send(false);
    EXPECT_EQ(notifications(), 1u);
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    send(false);
    EXPECT_EQ(notifications(), 2u);
}

TEST_F(Completions, ArmedForSolicitedOnesIgnoreTheOthers) {
    b.recv_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    send(false);
    EXPECT_EQ(notifications(), 0u);
    send(true);
    EXPECT_EQ(notifications(), 1u);
}

TEST_F(Completions, ThatWaitWhenTheQueueIsArmedNotifyAtOnce) {
    send(false);
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    settle();
    EXPECT_EQ(notifications(), 1u);
}

TEST_F(Completions, ThatHaveBeenPolledWhenTheQueueIsArmedAreSilent) {
    send(false);
    EXPECT_TRUE(b.recv_cq.poll());
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    settle();
    EXPECT_EQ(notifications(), 0u);
    send(false);
    EXPECT_EQ(notifications(), 1u);
}

TEST_F(Completions, ThatWaitNotifyByTheKindThatTheQueueIsArmedFor) {
    send(false);
    b.recv_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    settle();
    EXPECT_EQ(notifications(), 0u);
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    settle();
    EXPECT_EQ(notifications(), 1u);
    send(true);
    b.recv_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    settle();
    EXPECT_EQ(notifications(), 2u);
}

TEST_F(Completions, OfWhichAnEventHasToldNotifyNoSecondTime) {
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    send(true);
    b.recv_cq.arm(VRDMA_CQ_ARM_NEXT);
    settle();
    EXPECT_EQ(notifications(), 1u);
}

TEST_F(Completions, ADoorbellOfAQueueThatIsNotArmedOrNotThereIsIgnored) {
    send(false);
    for (const uint32_t handle : {b.recv_cq.handle, VRDMA_DB_MAX_HANDLES - 1u}) {
        b.recv_cq.area->cq.bits[handle / 64] = ~uint64_t{0};
        b.recv_cq.area->cq.summary[handle / 4096] = ~uint64_t{0};
        b.recv_cq.area->cq.root = ~uint64_t{0};
        settle();
    }
    EXPECT_EQ(notifications(), 0u);
}

TEST_F(Completions, ArmedForSolicitedOnesNotifyOfErrorsToo) {
    a.send_cq.arm(VRDMA_CQ_ARM_SOLICITED);
    SendWr bad = write_wr(0, 0, 16);
    bad.rkey = 0;
    a.qp.post_send(bad);
    settle();
    EXPECT_EQ(a.guest.sink.completions_of(a.send_cq.handle), 1u);
}

TEST_F(Completions, NameTheQueuesVector) {
    auto cq = b.guest.make_cq(15, 3);
    auto receiver = b.guest.make_qp(cq, cq);
    auto sender = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(sender, receiver);
    cq.arm(VRDMA_CQ_ARM_NEXT);
    receiver.post_recv(1, std::array{b.mr.sge(0, 16)});
    sender.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(b.guest.sink.completions_of(cq.handle), 1u);
    EXPECT_EQ(b.guest.sink.last_vector(), 3u);
}

TEST_F(Completions, AnArmingThatIsNoneOfTheKnownOnesNotifies) {
    b.recv_cq.arm(0xffffffff);
    send(false);
    EXPECT_EQ(notifications(), 1u);
}

struct Overflow : TwoGuests {
    Overflow()
        : cq(a.guest.make_cq(3)), qp(a.guest.make_qp(cq, cq)), peer(a.guest.make_qp(cq, cq)) {
        connect(qp, peer);
    }
    SendWr self_write() const {
        return {.opcode = WrOpcode::kRdmaWrite,
                .remote_address = a.mr.iova,
                .rkey = a.mr.rkey(),
                .sges = {a.mr.sge(64, 8)}};
    }
    ClientCq cq;
    ClientQp qp;
    ClientQp peer;
};

TEST_F(Overflow, FillingTheQueueToItsLastEntryIsNoError) {
    for (int i = 0; i < 3; ++i) {
        qp.post_send(self_write());
    }
    settle();
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 0u);
    EXPECT_EQ(qp.state(), QpState::kReadyToSend);
}

TEST_F(Overflow, IsReportedOnceAndEndsAllQueuePairsOfTheQueue) {
    for (int i = 0; i < 6; ++i) {
        qp.post_send(self_write());
    }
    settle();
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 1u);
    EXPECT_EQ(qp.state(), QpState::kError);
    EXPECT_EQ(peer.state(), QpState::kError);
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kQpFatal, qp.handle), 1u);
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kQpFatal, peer.handle), 1u);
    EXPECT_EQ(a.qp.state(), QpState::kReset);  // of another CQ
}

TEST_F(Overflow, DoesNotOverwriteWhatIsThere) {
    for (uint64_t i = 0; i < 6; ++i) {
        SendWr wr = self_write();
        wr.wr_id = i;
        qp.post_send(wr);
    }
    settle();
    for (uint64_t i = 0; i < 3; ++i) {
        EXPECT_EQ(cq.poll().value().wr_id, i);
    }
    EXPECT_FALSE(cq.poll().has_value());
}

TEST_F(Overflow, ConsumedEntriesAreUsedAgain) {
    for (int i = 0; i < 100; ++i) {
        qp.post_send(self_write());
        settle();
        ASSERT_TRUE(cq.poll().has_value());
    }
    EXPECT_EQ(a.guest.sink.events(AsyncEventType::kCqError, cq.handle), 0u);
}

class Resizing : public Completions {
  protected:
    Result<uint32_t> resize(uint32_t cqe) {
        rxe_resize_cq_resp response{};
        rnic::Udata udata{.in = {}, .out = std::as_writable_bytes(std::span(&response, 1))};
        if (auto result = b.recv_cq.object->resize(cqe, udata); !result) {
            return fail(result.error());
        }
        b.recv_cq.ring = ClientRing(*b.guest.context, response.mi);
        return cqe;
    }
    void send_some(unsigned count) {
        for (unsigned i = 0; i < count; ++i) {
            send(false);
            (void)a.send_cq.poll();
        }
    }
    unsigned received() {
        unsigned count = 0;
        while (b.recv_cq.poll()) {
            ++count;
        }
        return count;
    }
};

TEST_F(Resizing, KeepsWhatWaitsAndTakesMore) {
    send_some(40);
    for (int i = 0; i < 30; ++i) {
        ASSERT_TRUE(b.recv_cq.poll());
    }
    send_some(50);
    EXPECT_EQ(resize(200).value(), 255u);
    EXPECT_EQ(rnic->counters().completion_queues, 4u);
    send_some(100);
    EXPECT_EQ(received(), 160u);
}

TEST_F(Resizing, MakesSmallerWhatHasRoom) {
    send_some(7);
    EXPECT_EQ(resize(7).value(), 7u);
    EXPECT_EQ(received(), 7u);
    send_some(7);
    EXPECT_EQ(received(), 7u);
}

TEST_F(Resizing, RefusesWhatHasNoRoomForThoseThatWait) {
    send_some(8);
    EXPECT_EQ(resize(7).error(), Errno{EINVAL});
    EXPECT_EQ(received(), 8u);
}

TEST_F(Resizing, MovesNoMoreThanOthersCanWaitFor) {
    constexpr uint32_t kMany = 1 << 18;
    ASSERT_TRUE(resize(kMany));
    b.recv_cq.ring.header()->consumer_index = 1;  // as if all were full
    EXPECT_EQ(resize(2 * kMany).error(), Errno{EINVAL});
}

TEST_F(Resizing, CountsWhatWasPostedBefore) {
    for (unsigned i = 0; i < 8; ++i) {
        a.post_recv(i, 0, 16);
        SendWr wr = send_wr(0, 16);
        wr.sges = {b.mr.sge(0, 16)};
        b.qp.post_send(wr);
    }
    rxe_resize_cq_resp response{};
    rnic::Udata udata{.in = {}, .out = std::as_writable_bytes(std::span(&response, 1))};
    uint32_t cqe = 7;
    EXPECT_EQ(b.send_cq.object->resize(cqe, udata).error(), Errno{EINVAL});
}

TEST_F(Resizing, RefusesSizesThatThereAreNot) {
    EXPECT_EQ(resize(0).error(), Errno{EINVAL});
    EXPECT_EQ(resize(1u << 30).error(), Errno{EINVAL});
}

TEST_F(Resizing, SurvivesAConsumersIndexOfAnyValue) {
    send_some(3);
    for (const uint32_t index : {3u, 4u, 63u, 64u, 0xffffffffu}) {
        b.recv_cq.ring.header()->consumer_index = index;
        const auto resized = resize(63);
        ASSERT_TRUE(resized) << index;
    }
}

TEST_F(Resizing, GivesTheOldRingsMemoryBack) {
    const uint64_t before = rnic->counters().ring_bytes;
    ASSERT_TRUE(resize(1000));
    EXPECT_GT(rnic->counters().ring_bytes, before);
    ASSERT_TRUE(resize(63));
    EXPECT_EQ(rnic->counters().ring_bytes, before);
}

}  // namespace
}  // namespace vrdma::embedded::test
