// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Requests, records and doorbells that no library writes, and what a program may get wrong.
#include <endian.h>
#include <gtest/gtest.h>

#include "rings.h"

namespace vrdma::connectx {
namespace {

// enum mlx5_event of <linux/mlx5/device.h>.
constexpr uint8_t kCqError = 0x04;
constexpr uint8_t kInvalidRequest = 0x10;

bool has(const std::vector<uint8_t>& events, uint8_t kind) {
    return std::count(events.begin(), events.end(), kind) != 0;
}

class HostileRingTest : public testing::Test {
  protected:
    Request good() const {
        Request request(MLX5_OPCODE_RDMA_WRITE);
        request.remote(machine_.data, machine_.key).data(machine_.data, machine_.key, 8);
        return request;
    }

    // Posts a request that is an error of the program: it completes so, with the queue pair.
    void expect_error(const Request& request, uint8_t syndrome) {
        a_.post(request);
        a_.post(good());
        ASSERT_TRUE(fake_host_run());
        const auto cqe = a_.poll();
        ASSERT_TRUE(cqe);
        EXPECT_EQ(cqe->op_own >> 4, MLX5_CQE_REQ_ERR);
        EXPECT_EQ(QueuePair::syndrome(*cqe), syndrome);
        EXPECT_EQ(be16toh(cqe->wqe_counter), 0);
        EXPECT_EQ(a_.state(), unsigned{kError});
        // What is behind it is flushed.
        const auto flushed = a_.poll();
        ASSERT_TRUE(flushed);
        EXPECT_EQ(QueuePair::syndrome(*flushed), MLX5_CQE_SYNDROME_WR_FLUSH_ERR);
        EXPECT_FALSE(a_.poll());
    }

    // And one that no library writes: that is a violation, and the adapter says so.
    void expect_refusal(const Request& request) {
        expect_error(request, MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
        EXPECT_GE(machine_.violations(), 1U);
        EXPECT_TRUE(has(machine_.events(), kInvalidRequest));
    }

    Loop loop_;
    Machine& machine_ = loop_.machine;
    QueuePair& a_ = loop_.a;
};

TEST_F(HostileRingTest, AnUnknownOpcodeIsRefused) {
    expect_refusal(Request(0x3f).data(machine_.data, machine_.key, 8));
}

TEST_F(HostileRingTest, AFrameOfEthernetIsNoRequestOfAConnection) {
    expect_refusal(Request(MLX5_OPCODE_TSO).data(machine_.data, machine_.key, 8));
}

TEST_F(HostileRingTest, ARequestWithoutSegmentsIsRefused) {
    Request request = good();
    request.segments = 0;
    expect_refusal(request);
}

TEST_F(HostileRingTest, MoreSegmentsThanArePostedAreRefused) {
    Request request = good();
    request.segments = 63;
    expect_refusal(request);
}

TEST_F(HostileRingTest, ASegmentThatIsMissingIsRefused) {
    Request request(MLX5_OPCODE_ATOMIC_CS);
    request.remote(machine_.data, machine_.key);
    request.segments = 2;
    expect_refusal(request);
}

TEST_F(HostileRingTest, AnotherQueuePairsRequestIsRefused) {
    Request request = good();
    request.qpn = loop_.b.qp.number;
    expect_refusal(request);
}

TEST_F(HostileRingTest, ARequestOfAnotherPlaceIsRefused) {
    Request request = good();
    request.index = 1;
    expect_refusal(request);
}

TEST_F(HostileRingTest, AKeyOfAnotherDomainIsAProtectionError) {
    const uint32_t other =
        fake_host_key(machine_.host, fake_host_pd(machine_.host), machine_.data, 1, kFakeKeyAccess);
    expect_error(Request(MLX5_OPCODE_RDMA_WRITE)
                     .remote(machine_.data, machine_.key)
                     .data(machine_.data, other, 8),
                 MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
    EXPECT_EQ(machine_.violations(), 0U);
}

TEST_F(HostileRingTest, AKeyThatIsNotThereIsAProtectionError) {
    expect_error(Request(MLX5_OPCODE_RDMA_WRITE)
                     .remote(machine_.data, machine_.key)
                     .data(machine_.data, machine_.key ^ 1, 8),
                 MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
}

TEST_F(HostileRingTest, MemoryBehindTheKeysEndIsAProtectionError) {
    const uint64_t end = machine_.data + uint64_t{Machine::kPages} * kFakePage;
    for (const uint64_t at : {end - 7, end, machine_.data - 1, UINT64_MAX - 3}) {
        Loop loop;
        Machine& machine = loop.machine;
        loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                        .remote(machine.data, machine.key)
                        .data(at, machine.key, 8));
        ASSERT_TRUE(fake_host_run());
        const auto cqe = loop.a.poll();
        ASSERT_TRUE(cqe);
        EXPECT_EQ(QueuePair::syndrome(*cqe), MLX5_CQE_SYNDROME_LOCAL_PROT_ERR) << at;
    }
}

TEST_F(HostileRingTest, ARemoteKeyThatAllowsNothingIsARemoteAccessError) {
    const uint32_t weak =
        fake_host_key(machine_.host, machine_.pd, machine_.data, 1, kFakeLocalWrite);
    expect_error(Request(MLX5_OPCODE_RDMA_WRITE)
                     .remote(machine_.data, weak)
                     .data(machine_.data, machine_.key, 8),
                 MLX5_CQE_SYNDROME_REMOTE_ACCESS_ERR);
}

TEST_F(HostileRingTest, DataBehindTheRequestsEndAreNotSent) {
    // The bytes behind the request are those of the next one.
    expect_error(Request(MLX5_OPCODE_RDMA_WRITE)
                     .remote(machine_.data, machine_.key)
                     .inline_data({1, 2, 3, 4}, 1000),
                 MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
}

TEST_F(HostileRingTest, AnAtomicsResponseIsNotWrittenIntoTheRequest) {
    expect_error(Request(MLX5_OPCODE_ATOMIC_FA)
                     .remote(machine_.data, machine_.key)
                     .atomic(1, 0)
                     .inline_data(Bytes(8)),
                 MLX5_CQE_SYNDROME_LOCAL_PROT_ERR);
}

TEST_F(HostileRingTest, AMessageThatIsTooLongIsALengthError) {
    Request request(MLX5_OPCODE_RDMA_WRITE);
    request.remote(machine_.data, machine_.key);
    for (int i = 0; i < 3; ++i) {
        request.data(machine_.data, machine_.key, 0x7fffffff);
    }
    expect_error(request, MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
}

TEST_F(HostileRingTest, MoreThanTheRingHoldsIsRefused) {
    a_.write(good());
    a_.posted = 0x4000;
    a_.ring();
    ASSERT_TRUE(fake_host_run());
    const auto refused = a_.poll();
    ASSERT_TRUE(refused);
    EXPECT_EQ(QueuePair::syndrome(*refused), MLX5_CQE_SYNDROME_LOCAL_QP_OP_ERR);
    // As many end as the ring has places, and not as the record says.
    unsigned flushed = 0;
    while (a_.poll()) {
        ++flushed;
    }
    EXPECT_LE(flushed, 1U << a_.qp.sq_log);
    EXPECT_EQ(a_.state(), unsigned{kError});
    EXPECT_GE(machine_.violations(), 1U);
}

TEST_F(HostileRingTest, ADoorbellOfNoQueueOrOfAnotherPageIsAViolation) {
    const uint64_t page = uint64_t{machine_.uar} * kFakePage;
    fake_host_write(machine_.host, page + 0x800, uint64_t{0x777777} << 8, 8);
    ASSERT_TRUE(fake_host_run());
    EXPECT_EQ(machine_.violations(), 1U);
    const uint32_t other = fake_host_uar(machine_.host);
    fake_host_write(machine_.host, uint64_t{other} * kFakePage + 0x800, uint64_t{a_.qp.number} << 8,
                    8);
    ASSERT_TRUE(fake_host_run());
    EXPECT_EQ(machine_.violations(), 2U);
    // Nobody has the page behind it.
    fake_host_write(machine_.host, uint64_t{other + 1} * kFakePage + 0x800,
                    uint64_t{a_.qp.number} << 8, 8);
    ASSERT_TRUE(fake_host_run());
    EXPECT_EQ(machine_.violations(), 3U);
    EXPECT_FALSE(a_.poll());
}

// A program whose queue the driver has destroyed may ring it once more.
TEST_F(HostileRingTest, ADoorbellOfAQueueThatIsGoneDoesNothing) {
    fake_host_destroy_qp(machine_.host, &a_.qp);
    a_.ring();
    ASSERT_TRUE(fake_host_run());
    EXPECT_EQ(machine_.violations(), 0U);
    EXPECT_FALSE(a_.poll());
}

TEST_F(HostileRingTest, AReceiveRequestThatIsTooSmallEndsBothSides) {
    loop_.b.post_receive(machine_.data, machine_.key, 3);
    a_.post(Request(MLX5_OPCODE_SEND).inline_data({1, 2, 3, 4}));
    ASSERT_TRUE(fake_host_run());
    const auto received = loop_.b.poll();
    ASSERT_TRUE(received);
    EXPECT_EQ(received->op_own >> 4, MLX5_CQE_RESP_ERR);
    EXPECT_EQ(QueuePair::syndrome(*received), MLX5_CQE_SYNDROME_LOCAL_LENGTH_ERR);
    const auto sent = a_.poll();
    ASSERT_TRUE(sent);
    EXPECT_EQ(QueuePair::syndrome(*sent), MLX5_CQE_SYNDROME_REMOTE_INVAL_REQ_ERR);
}

TEST_F(HostileRingTest, AReceiveRecordAheadOfItsRingEndsTheReceiver) {
    loop_.b.receives = 0x4000;
    loop_.b.post_receive(machine_.data, machine_.key, 64);
    a_.post(Request(MLX5_OPCODE_SEND).inline_data({1, 2, 3, 4}));
    ASSERT_TRUE(fake_host_run());
    EXPECT_EQ(loop_.b.state(), unsigned{kError});
    EXPECT_GE(machine_.violations(), 1U);
}

TEST(CqTest, AnEntryThatHasNoRoomIsAnEventAndNoEntry) {
    Loop loop(kRc, 1);
    Machine& machine = loop.machine;
    for (int i = 0; i < 3; ++i) {
        loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                        .remote(machine.data, machine.key)
                        .data(machine.data, machine.key, 8));
    }
    ASSERT_TRUE(fake_host_run());
    EXPECT_TRUE(has(machine.events(), kCqError));
    const auto first = loop.a.poll();
    const auto second = loop.a.poll();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(be16toh(first->wqe_counter), 0);
    EXPECT_EQ(be16toh(second->wqe_counter), 1);
    // The queue is of no use any more.
    EXPECT_FALSE(loop.a.poll());
    loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                    .remote(machine.data, machine.key)
                    .data(machine.data, machine.key, 8));
    ASSERT_TRUE(fake_host_run());
    EXPECT_FALSE(loop.a.poll());
}

TEST(CqTest, AQueueThatMayOverrunLosesItsOldestEntries) {
    Loop loop(kRc, 1, true);
    Machine& machine = loop.machine;
    for (int i = 0; i < 3; ++i) {
        loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                        .remote(machine.data, machine.key)
                        .data(machine.data, machine.key, 8));
    }
    ASSERT_TRUE(fake_host_run());
    EXPECT_FALSE(has(machine.events(), kCqError));
    // The first place has the third entry, whose owner is that of the second round.
    EXPECT_EQ(*machine.memory(loop.a.cq.ring + 63) & 1, 1);
    EXPECT_EQ(*machine.memory(loop.a.cq.ring + 61), 2);
}

TEST(CqTest, ARecordThatIsAheadOfTheQueueIsNoRoom) {
    Loop loop(kRc, 1);
    Machine& machine = loop.machine;
    // More was given back than there ever was: as if all were in use.
    *machine.memory(loop.a.cq.record + 3) = 7;
    loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                    .remote(machine.data, machine.key)
                    .data(machine.data, machine.key, 8));
    ASSERT_TRUE(fake_host_run());
    EXPECT_TRUE(has(machine.events(), kCqError));
    EXPECT_FALSE(loop.a.poll());
}

}  // namespace
}  // namespace vrdma::connectx
