// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A guest that writes anything into its rings and into the doorbell area: it can harm
// itself only, and every look at its memory stays within its rings.
#include <random>

#include "fixture.h"

namespace vrdma::embedded::test {
namespace {

class HostileRings : public TwoGuests {
  protected:
    HostileRings() { connect(a.qp, b.qp); }

    // Overwrites the word at `offset` of the request to be posted next, and posts it.
    void post_with(const SendWr& wr, size_t offset, uint32_t value) {
        std::byte* element = a.qp.send_ring.back();
        write_send_wqe(element, wr);
        std::memcpy(element + offset, &value, sizeof(value));
        a.qp.send_ring.push();
        a.qp.ring_doorbell();
        settle();
    }
    static constexpr size_t kDmaLength = offsetof(rxe_send_wqe, dma);
    static constexpr size_t kDmaNumSge = kDmaLength + 12;
};

TEST_F(HostileRings, MoreEntriesThanTheQueueAllowsAreALocalQpOperationError) {
    post_with(write_wr(0, 0, 16), kDmaNumSge, a.qp.cap.max_send_sge + 1);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
}

TEST_F(HostileRings, HugeNumberOfEntriesIsALocalQpOperationError) {
    post_with(write_wr(0, 0, 16), kDmaNumSge, 0xffffffff);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
}

TEST_F(HostileRings, InlineDataBeyondTheQueuesLimitIsALocalLengthError) {
    const auto data = pattern(16);
    SendWr wr = write_wr(0, 0, 0);
    wr.flags |= kSendInline;
    wr.inline_data = data;
    wr.sges.clear();
    post_with(wr, kDmaLength, a.qp.cap.max_inline_data + 1);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalLengthError);
}

TEST_F(HostileRings, InlineReadIsALocalQpOperationError) {
    const auto data = pattern(16);
    SendWr wr = read_wr(0, 0, 0);
    wr.flags |= kSendInline;
    wr.inline_data = data;
    wr.sges.clear();
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalQpOperationError);
}

TEST_F(HostileRings, MessageBeyondTheLargestSizeIsALocalLengthError) {
    SendWr wr = write_wr(0, 0, 16);
    wr.sges.assign(3, {a.mr.iova, 0xffffffff, a.mr.lkey()});
    a.qp.post_send(wr);
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kLocalLengthError);
}

TEST_F(HostileRings, TotalLengthThatContradictsTheEntriesCountsForNothing) {
    a.fill(0, pattern(16));
    post_with(write_wr(0, 0, 16), kDmaLength, 0xfffffff0);
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
    EXPECT_EQ(b.bytes(0, 16), pattern(16));
    EXPECT_EQ(b.bytes(16, 16), std::vector<std::byte>(16));
}

TEST_F(HostileRings, ReceiveRequestWithTooManyEntriesFailsAtBothEnds) {
    std::byte* element = b.qp.recv_ring.back();
    write_recv_wqe(element, 3, std::array{b.mr.sge(0, 64)});
    const uint32_t count = 0x10000;
    std::memcpy(element + offsetof(rxe_recv_wqe, dma) + 12, &count, sizeof(count));
    b.qp.recv_ring.push();
    a.qp.post_send(send_wr(0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kRemoteOperationError);
    EXPECT_EQ(status_of(only_completion(b.recv_cq)), WcStatus::kLocalQpOperationError);
}

// The request is looked at once: what the guest writes after the RNIC has begun with
// it changes nothing.
TEST_F(HostileRings, RequestThatChangesAfterItBeganIsCarriedOutAsPosted) {
    std::vector<std::byte> large(2 << 20);
    auto from = a.guest.reg_mr(large, kAllAccess);
    auto to = a.guest.reg_mr(large, kAllAccess);
    auto self = a.guest.make_qp(a.send_cq, a.recv_cq);
    connect(self, a.guest.gid(), self.number());
    settle();
    std::byte* element = self.send_ring.back();
    self.post_send({.wr_id = 1,
                    .opcode = WrOpcode::kRdmaWrite,
                    .remote_address = to.iova,
                    .rkey = to.rkey(),
                    .sges = {from.sge(0, 2 << 20)}});
    ASSERT_TRUE(rnic->poll_once());
    std::memset(element, 0xff, kSendWqeHeadSize + sizeof(Sge));
    settle();
    const auto wc = only_completion(a.send_cq);
    EXPECT_EQ(wc.wr_id, 1u);
    EXPECT_EQ(status_of(wc), WcStatus::kSuccess);
}

TEST_F(HostileRings, GeometryInTheSharedHeaderIsNotBelieved) {
    rxe_queue_buf* header = a.qp.send_ring.header();
    header->log2_elem_size = 31;
    header->index_mask = 0xffffffff;
    a.send_cq.ring.header()->log2_elem_size = 31;
    a.send_cq.ring.header()->index_mask = 0xffffffff;
    a.fill(0, pattern(16));
    for (int i = 0; i < 40; ++i) {
        ASSERT_TRUE(a.qp.post_send(write_wr(0, 0, 16)) || true);
        header->producer_index &= a.qp.send_ring.mask();
        settle();
        a.send_cq.poll();
    }
    EXPECT_EQ(b.bytes(0, 16), pattern(16));
}

TEST_F(HostileRings, IndexesOutOfRangeAreMaskedAndEndInErrorsOfTheOwnQueues) {
    a.qp.send_ring.header()->producer_index = 0xfffffff7;
    a.send_cq.ring.header()->consumer_index = 0xdeadbeef;
    b.qp.recv_ring.header()->producer_index = 0x80000005;
    a.qp.ring_doorbell();
    settle();
    EXPECT_LE(b.qp.recv_ring.header()->consumer_index, b.qp.recv_ring.mask());
    EXPECT_LE(a.qp.send_ring.header()->consumer_index, a.qp.send_ring.mask());
    EXPECT_LE(a.send_cq.ring.header()->producer_index, a.send_cq.ring.mask());
}

TEST_F(HostileRings, TheRnicsOwnIndexesAreNotReadBack) {
    a.qp.send_ring.header()->consumer_index = 77;
    a.send_cq.ring.header()->producer_index = 0;
    a.fill(0, pattern(16));
    std::memset(a.qp.send_ring.element(0), 0, kSendWqeHeadSize);
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(b.bytes(0, 16), pattern(16));
    EXPECT_EQ(a.qp.send_ring.header()->consumer_index, 1u);
    EXPECT_EQ(a.send_cq.ring.header()->producer_index, 1u);
}

TEST_F(HostileRings, DoorbellsOfEveryHandleAreTakenAndForgotten) {
    std::memset(&a.guest.area->qp, 0xff, sizeof(a.guest.area->qp));
    settle();
    a.qp.post_send(write_wr(0, 0, 16));
    settle();
    EXPECT_EQ(status_of(only_completion(a.send_cq)), WcStatus::kSuccess);
}

TEST_F(HostileRings, AGuestsDoorbellsReachItsOwnQueuePairsOnly) {
    settle();
    b.qp.enqueue_send({.opcode = WrOpcode::kRdmaWrite,
                       .remote_address = a.mr.iova,
                       .rkey = a.mr.rkey(),
                       .sges = {b.mr.sge(0, 16)}});
    std::memset(&a.guest.area->qp, 0xff, sizeof(a.guest.area->qp));
    settle();
    EXPECT_FALSE(b.send_cq.poll().has_value());
}

// Rings full of noise, many times over: whatever comes of it, the engine comes to rest
// and the other guest's own connection still works.
TEST_F(HostileRings, NoiseEndsInRestAndHarmsNobodyElse) {
    auto c = b.guest.make_qp(b.send_cq, b.recv_cq);
    auto d = b.guest.make_qp(b.send_cq, b.recv_cq);
    connect(c, d);
    std::mt19937 random(1);
    for (int round = 0; round < 200; ++round) {
        for (uint32_t slot = 0; slot <= a.qp.send_ring.mask(); ++slot) {
            std::byte* element = a.qp.send_ring.element(slot);
            write_send_wqe(element, round % 2 == 0 ? write_wr(0, 0, 16) : send_wr(0, 16));
            for (int i = 0; i < 3; ++i) {
                element[random() % (kSendWqeHeadSize + 4 * sizeof(Sge))] =
                    static_cast<std::byte>(random());
            }
        }
        a.qp.send_ring.header()->producer_index = static_cast<uint32_t>(random());
        a.send_cq.ring.header()->consumer_index = static_cast<uint32_t>(random());
        a.qp.ring_doorbell();
        settle();
        clock->advance(1'000'000'000);
        settle();
        rnic::QpAttributes reset;
        ASSERT_TRUE(a.qp.modify(kAttrState, reset));
        ASSERT_TRUE(b.qp.modify(kAttrState, reset));
        connect(a.qp, b.qp);
    }
    while (b.send_cq.poll()) {
    }
    c.post_send({.opcode = WrOpcode::kRdmaWrite,
                 .remote_address = b.mr.iova,
                 .rkey = b.mr.rkey(),
                 .sges = {b.mr.sge(64, 16)}});
    settle();
    EXPECT_EQ(status_of(only_completion(b.send_cq)), WcStatus::kSuccess);
}

}  // namespace
}  // namespace vrdma::embedded::test
