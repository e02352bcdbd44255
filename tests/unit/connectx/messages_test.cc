// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Requests that are right: what they move, and what their completions say.
#include <endian.h>
#include <gtest/gtest.h>

#include "rings.h"

namespace vrdma::connectx {
namespace {

constexpr uint64_t kPage = kFakePage;
constexpr size_t kHeader = 40;  // of a datagram

Bytes pattern(size_t size) {
    Bytes bytes(size);
    for (size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<uint8_t>(7 * i + i / 251 + 1);
    }
    return bytes;
}

unsigned opcode(const mlx5_cqe64& cqe) {
    return cqe.op_own >> 4;
}

TEST(ConnectxTest, ASendCompletesOnBothSides) {
    Loop loop;
    Machine& machine = loop.machine;
    const uint64_t there = machine.data + kFakePage;
    machine.put(machine.data, pattern(3000));
    loop.b.post_receive(there, machine.key, 4096);
    Request send(MLX5_OPCODE_SEND_IMM);
    send.immediate = 0x01020304;
    send.flags |= MLX5_WQE_CTRL_SOLICITED;
    loop.a.post(send.data(machine.data, machine.key, 3000));
    ASSERT_TRUE(fake_host_run());
    const auto sent = loop.a.poll();
    ASSERT_TRUE(sent);
    EXPECT_EQ(opcode(*sent), unsigned{MLX5_CQE_REQ});
    EXPECT_EQ(be16toh(sent->wqe_counter), 0);
    EXPECT_EQ(be32toh(sent->sop_drop_qpn), loop.a.qp.number | MLX5_OPCODE_SEND_IMM << 24);
    EXPECT_EQ(be32toh(sent->srqn_uidx), 0x1234U);
    const auto received = loop.b.poll();
    ASSERT_TRUE(received);
    EXPECT_EQ(opcode(*received), unsigned{MLX5_CQE_RESP_SEND_IMM});
    EXPECT_EQ(be32toh(received->byte_cnt), 3000U);
    EXPECT_EQ(be32toh(received->imm_inval_pkey), 0x01020304U);
    EXPECT_EQ(be16toh(received->slid), 1);
    EXPECT_EQ(received->op_own & 2, 2);  // solicited
    EXPECT_EQ(machine.get(there, 3000), pattern(3000));
    EXPECT_FALSE(loop.a.poll());
    EXPECT_FALSE(loop.b.poll());
    EXPECT_EQ(machine.violations(), 0U) << fake_host_log(machine.host);
}

TEST(ConnectxTest, WritesReadsAndAtomicsReachTheOtherSidesMemory) {
    Loop loop;
    Machine& machine = loop.machine;
    const uint64_t there = machine.data + kFakePage;
    machine.put(machine.data, pattern(2500));
    *machine.memory(machine.data + 3 * kPage) = 37;
    loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                    .remote(there, machine.key)
                    .data(machine.data, machine.key, 2500));
    loop.a.post(Request(MLX5_OPCODE_RDMA_READ)
                    .remote(there, machine.key)
                    .data(machine.data + 2 * kPage, machine.key, 2500));
    loop.a.post(Request(MLX5_OPCODE_ATOMIC_FA)
                    .remote(machine.data + 3 * kPage, machine.key)
                    .atomic(5, 0)
                    .data(machine.data + 4 * kPage, machine.key, 8));
    ASSERT_TRUE(fake_host_run());
    for (uint16_t index : {0, 1, 2}) {
        const auto done = loop.a.poll();
        ASSERT_TRUE(done) << index;
        EXPECT_EQ(opcode(*done), unsigned{MLX5_CQE_REQ});
        EXPECT_EQ(be16toh(done->wqe_counter), index);
    }
    EXPECT_EQ(machine.get(there, 2500), pattern(2500));
    EXPECT_EQ(machine.get(machine.data + 2 * kPage, 2500), pattern(2500));
    EXPECT_EQ(*machine.memory(machine.data + 3 * kPage), 42);
    EXPECT_EQ(*machine.memory(machine.data + 4 * kPage), 37);
}

TEST(ConnectxTest, DataInTheRequestArriveAlsoAroundTheRingsEnd) {
    Loop loop;
    Machine& machine = loop.machine;
    for (int i = 0; i < 15; ++i) {
        Request nop(MLX5_OPCODE_NOP);
        nop.flags = 0;
        loop.a.post(nop);
    }
    loop.b.post_receive(machine.data, machine.key, 4096);
    loop.a.post(Request(MLX5_OPCODE_SEND).inline_data(pattern(150)));
    ASSERT_TRUE(fake_host_run());
    const auto sent = loop.a.poll();
    ASSERT_TRUE(sent);
    EXPECT_EQ(opcode(*sent), unsigned{MLX5_CQE_REQ});
    EXPECT_EQ(be16toh(sent->wqe_counter), 15);
    EXPECT_EQ(machine.get(machine.data, 150), pattern(150));
}

TEST(ConnectxTest, TheOwnerOfAnEntryChangesWithEachRound) {
    Loop loop(kRc, 1);
    Machine& machine = loop.machine;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 2; ++i) {
            loop.a.post(Request(MLX5_OPCODE_RDMA_WRITE)
                            .remote(machine.data, machine.key)
                            .data(machine.data, machine.key, 1));
        }
        ASSERT_TRUE(fake_host_run());
        for (uint64_t at : {loop.a.cq.ring, loop.a.cq.ring + kBlock}) {
            EXPECT_EQ(*machine.memory(at + kBlock - 1) & 1, round & 1);
        }
        EXPECT_TRUE(loop.a.poll());
        EXPECT_TRUE(loop.a.poll());
        EXPECT_FALSE(loop.a.poll());
    }
}

class InfiniBandTest : public testing::TestWithParam<bool> {
  protected:
    static constexpr uint16_t kLeft = 3;
    static constexpr uint16_t kRight = 0xbffe;

    Machine left_{kLeft};
    Machine right_{kRight};
};

TEST_P(InfiniBandTest, AConnectionReachesTheOtherMachine) {
    QueuePair a = left_.make(kRc);
    QueuePair b = right_.make(kRc);
    a.connect(b.here(GetParam()));
    b.connect(a.here(GetParam()));
    left_.put(left_.data, pattern(5000));
    b.post_receive(right_.data, right_.key, 8192);
    a.post(Request(MLX5_OPCODE_SEND).data(left_.data, left_.key, 5000));
    a.post(Request(MLX5_OPCODE_RDMA_READ)
               .remote(right_.data, right_.key)
               .data(left_.data + 2 * kPage, left_.key, 5000));
    ASSERT_TRUE(fake_host_run());
    const auto received = b.poll();
    ASSERT_TRUE(received);
    EXPECT_EQ(be16toh(received->slid), kLeft);
    EXPECT_EQ(right_.get(right_.data, 5000), pattern(5000));
    ASSERT_TRUE(a.poll());
    ASSERT_TRUE(a.poll());
    EXPECT_EQ(left_.get(left_.data + 2 * kPage, 5000), pattern(5000));
}

TEST_P(InfiniBandTest, ADatagramsCompletionTellsLidLevelAndRoute) {
    QueuePair a = left_.make(kUd);
    QueuePair b = right_.make(kUd);
    a.connect({});
    b.connect({});
    b.post_receive(right_.data, right_.key, 4096);
    left_.put(left_.data, pattern(100));
    const FakePath path = b.here(GetParam());
    a.post(Request(MLX5_OPCODE_SEND).datagram(path, 6).data(left_.data, left_.key, 100));
    ASSERT_TRUE(fake_host_run());
    ASSERT_TRUE(a.poll());
    const auto received = b.poll();
    ASSERT_TRUE(received);
    EXPECT_EQ(opcode(*received), unsigned{MLX5_CQE_RESP_SEND});
    EXPECT_EQ(be32toh(received->byte_cnt), kHeader + 100);
    EXPECT_EQ(be16toh(received->slid), kLeft);
    const uint32_t flags = be32toh(received->flags_rqpn);
    EXPECT_EQ(flags & 0xffffff, a.qp.number);
    EXPECT_EQ(flags >> 24 & 0xf, 6U);
    EXPECT_EQ(flags >> 28 & 3, GetParam() ? 1U : 0U);
    EXPECT_EQ(be32toh(received->imm_inval_pkey), 0xffffU);
    const Bytes header = right_.get(right_.data, kHeader);
    if (GetParam()) {
        EXPECT_EQ(header[0] >> 4, 6);
        EXPECT_EQ(header[5], 8 + 12 + 100 + 4);
        EXPECT_EQ(header[6], 0x1b);
        FakePath from = a.here(true);
        EXPECT_EQ(std::memcmp(header.data() + 8, from.gid, 16), 0);
        EXPECT_EQ(std::memcmp(header.data() + 24, path.gid, 16), 0);
    } else {
        EXPECT_EQ(header, Bytes(kHeader));
    }
    EXPECT_EQ(right_.get(right_.data + kHeader, 100), pattern(100));
}

TEST_P(InfiniBandTest, NobodyHasAnotherPortsLidOrGid) {
    QueuePair a = left_.make(kUd);
    QueuePair b = right_.make(kUd);
    a.connect({});
    b.connect({});
    b.post_receive(right_.data, right_.key, 4096);
    FakePath path = b.here(GetParam());
    if (GetParam()) {
        path.gid[15] ^= 1;
    } else {
        path.lid = 4;
    }
    a.post(Request(MLX5_OPCODE_SEND).datagram(path).inline_data({1, 2, 3}));
    ASSERT_TRUE(fake_host_run());
    ASSERT_TRUE(a.poll());
    EXPECT_FALSE(b.poll());
}

INSTANTIATE_TEST_SUITE_P(Routes, InfiniBandTest, testing::Bool());

TEST(MulticastTest, MembersOnBothMachinesGetAGroupsDatagrams) {
    Machine left(1);
    Machine right(2);
    QueuePair a = left.make(kUd);
    QueuePair b = right.make(kUd);
    QueuePair outsider = right.make(kUd);
    FakePath group{};
    group.lid = 0xc00b;
    group.global = true;
    group.qpn = kMulticastQpn;
    group.gid[0] = 0xff;
    group.gid[15] = 9;
    for (const auto& [machine, qp] : {std::pair{&left, &a}, {&right, &b}, {&right, &outsider}}) {
        qp->connect({});
        qp->post_receive(machine->data, machine->key, 4096);
        if (qp != &outsider) {
            fake_host_join(machine->host, &qp->qp, group.gid);
        }
    }
    a.post(Request(MLX5_OPCODE_SEND).datagram(group).inline_data({1, 2, 3}));
    ASSERT_TRUE(fake_host_run());
    ASSERT_TRUE(a.poll());  // the request
    EXPECT_TRUE(a.poll());  // its own copy
    const auto received = b.poll();
    ASSERT_TRUE(received);
    EXPECT_EQ(be16toh(received->slid), 1);
    EXPECT_FALSE(outsider.poll());
}

}  // namespace
}  // namespace vrdma::connectx
