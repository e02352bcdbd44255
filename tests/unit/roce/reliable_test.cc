// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Each operation of RC, at each size around the path's MTU, over real frames.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

constexpr std::array<uint32_t, 10> kSizes = {
    0, 1, 3, kMtu - 1, kMtu, kMtu + 1, 2 * kMtu - 1, 2 * kMtu, 2 * kMtu + 5, 50 * kMtu + 3};

class ReliableTest : public testing::TestWithParam<std::tuple<uint32_t, Link>> {
  protected:
    ReliableTest() : connection_(IBV_QPT_RC, std::get<1>(GetParam())) {}

    uint32_t size() const { return std::get<0>(GetParam()); }

    Connection connection_;
    QueuePair& a_ = connection_.a;
    QueuePair& b_ = connection_.b;
};

TEST_P(ReliableTest, SendArrivesAndCompletesOnBothSides) {
    b_.post_receive(size());
    a_.post(IBV_WR_SEND, pattern(size()));
    connection_.run();
    EXPECT_EQ(a_.summary(), "send " + std::to_string(size()));
    EXPECT_EQ(b_.summary(), "recv " + std::to_string(size()));
    EXPECT_EQ(b_.receives[0].bytes, pattern(size()));
    EXPECT_FALSE(b_.completions[0].received.with_immediate);
    EXPECT_EQ(connection_.left.counters().timeouts, 0U);
}

TEST_P(ReliableTest, SendWithImmediateHasItsFourBytes) {
    b_.post_receive(size() + 10);
    Send& send = a_.post(IBV_WR_SEND_WITH_IMM, pattern(size()));
    std::memcpy(send.what.immediate, "\x12\x34\x56\x78", 4);
    send.what.solicited = true;
    connection_.run();
    ASSERT_EQ(b_.summary(), "recv " + std::to_string(size()));
    const RoceReceived& received = b_.completions[0].received;
    EXPECT_TRUE(received.with_immediate);
    EXPECT_TRUE(received.solicited);
    EXPECT_EQ(std::memcmp(received.immediate, "\x12\x34\x56\x78", 4), 0);
    EXPECT_EQ(received.opcode, IBV_WC_RECV);
}

TEST_P(ReliableTest, SendWithInvalidateEndsTheReceiversKey) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
    b_.post_receive(size());
    a_.post(IBV_WR_SEND_WITH_INV, pattern(size())).what.invalidate_rkey = key;
    connection_.run();
    ASSERT_EQ(b_.summary(), "recv " + std::to_string(size()));
    EXPECT_TRUE(b_.completions[0].received.with_invalidate);
    EXPECT_EQ(b_.completions[0].received.invalidated_rkey, key);
    EXPECT_FALSE(connection_.right.has_key(key));
}

TEST_P(ReliableTest, WriteChangesTheRangeAndNothingElse) {
    const uint32_t key = connection_.right.add_key(100, size(), IBV_ACCESS_REMOTE_WRITE);
    Send& send = a_.post(IBV_WR_RDMA_WRITE, pattern(size()));
    send.what.rkey = key;
    send.what.remote_address = 100;
    connection_.run();
    EXPECT_EQ(a_.summary(), "send " + std::to_string(size()));
    EXPECT_EQ(b_.summary(), "");
    Bytes expected(kMemory);
    const Bytes written = pattern(size());
    std::copy(written.begin(), written.end(), expected.begin() + 100);
    EXPECT_EQ(connection_.right.memory(), expected);
}

TEST_P(ReliableTest, WriteWithImmediateTakesAReceiveRequest) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
    b_.post_receive(0);
    Send& send = a_.post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(size()));
    send.what.rkey = key;
    std::memcpy(send.what.immediate, "abcd", 4);
    connection_.run();
    ASSERT_EQ(b_.summary(), "recv " + std::to_string(size()));
    EXPECT_EQ(b_.completions[0].received.opcode, IBV_WC_RECV_RDMA_WITH_IMM);
    EXPECT_EQ(std::memcmp(b_.completions[0].received.immediate, "abcd", 4), 0);
    EXPECT_TRUE(std::equal(a_.sends[0].bytes.begin(), a_.sends[0].bytes.end(),
                           connection_.right.memory().begin()));
}

TEST_P(ReliableTest, ReadFetchesTheRange) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    connection_.right.memory() = pattern(kMemory, 9);
    Send& send = a_.post(IBV_WR_RDMA_READ, Bytes(size()));
    send.what.rkey = key;
    send.what.remote_address = 77;
    connection_.run();
    EXPECT_EQ(a_.summary(), "send " + std::to_string(size()));
    EXPECT_TRUE(
        std::equal(send.bytes.begin(), send.bytes.end(), connection_.right.memory().begin() + 77));
}

TEST_P(ReliableTest, ManyRequestsOfAllKindsKeepTheirOrder) {
    constexpr int kRounds = 20;
    const uint32_t key = connection_.right.add_key(
        0, kMemory, IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_ATOMIC);
    std::string expected_a;
    std::string expected_b;
    for (int round = 0; round < kRounds; ++round) {
        b_.post_receive(size());
        a_.post(IBV_WR_SEND, pattern(size(), static_cast<uint8_t>(round)));
        Send& write = a_.post(IBV_WR_RDMA_WRITE, pattern(size(), static_cast<uint8_t>(round)));
        write.what.rkey = key;
        Send& add = a_.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
        add.what.rkey = key;
        add.what.remote_address = kMemory - 8;
        add.what.compare_add = 1;
        Send& read = a_.post(IBV_WR_RDMA_READ, Bytes(size()));
        read.what.rkey = key;
        const std::string bytes = std::to_string(size());
        expected_a.append(round ? ", send " : "send ").append(bytes);
        expected_a.append(", send ").append(bytes).append(", send 8, send ").append(bytes);
        expected_b.append(round ? ", recv " : "recv ").append(bytes);
    }
    connection_.run();
    EXPECT_EQ(a_.summary(), expected_a);
    EXPECT_EQ(b_.summary(), expected_b);
    for (int round = 0; round < kRounds; ++round) {
        uint64_t original = 0;
        std::memcpy(&original, a_.sends[round * 4 + 2].bytes.data(), sizeof(original));
        EXPECT_EQ(original, static_cast<uint64_t>(round));
        EXPECT_EQ(b_.receives[round].bytes, pattern(size(), static_cast<uint8_t>(round)));
    }
    EXPECT_EQ(a_.sends.back().bytes, pattern(size(), kRounds - 1));
    EXPECT_EQ(connection_.left.counters().retries, 0U);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ReliableTest,
                         testing::Combine(testing::ValuesIn(kSizes), testing::ValuesIn(kLinks)));

uint64_t value_at(const Bytes& bytes, size_t at) {
    uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof(value));
    return value;
}

TEST(AtomicTest, CompareAndSwapChangesWhatIsEqualAndReturnsWhatWas) {
    Connection connection;
    const uint32_t key = connection.right.add_key(0, 64, IBV_ACCESS_REMOTE_ATOMIC);
    connection.right.memory()[8] = 5;
    for (const uint64_t compare : {4, 5}) {
        Send& send = connection.a.post(IBV_WR_ATOMIC_CMP_AND_SWP, Bytes(8));
        send.what.rkey = key;
        send.what.remote_address = 8;
        send.what.compare_add = compare;
        send.what.swap = 0x1122334455667788;
    }
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 8, send 8");
    EXPECT_EQ(value_at(connection.a.sends[0].bytes, 0), 5U);
    EXPECT_EQ(value_at(connection.a.sends[1].bytes, 0), 5U);
    EXPECT_EQ(value_at(connection.right.memory(), 8), 0x1122334455667788U);
}

TEST(ReliableConnectionTest, BothSidesSendAtTheSameTime) {
    Connection connection;
    for (int i = 0; i < 30; ++i) {
        connection.a.post_receive(5000);
        connection.b.post_receive(5000);
        connection.a.post(IBV_WR_SEND, pattern(5000, static_cast<uint8_t>(i)));
        connection.b.post(IBV_WR_SEND, pattern(5000, static_cast<uint8_t>(i + 100)));
    }
    connection.run();
    for (int i = 0; i < 30; ++i) {
        EXPECT_EQ(connection.b.receives[i].bytes, pattern(5000, static_cast<uint8_t>(i)));
        EXPECT_EQ(connection.a.receives[i].bytes, pattern(5000, static_cast<uint8_t>(i + 100)));
    }
    EXPECT_EQ(connection.a.completions.size(), 60U);
    EXPECT_EQ(connection.b.completions.size(), 60U);
}

TEST(ReliableConnectionTest, SequenceNumbersGoOnAfterTheLastOne) {
    Connection connection(IBV_QPT_RC, Link::kIpv4, [](RoceQpAttributes& attributes) {
        attributes.send_psn = attributes.receive_psn = 0xfffffa;
    });
    const uint32_t key = connection.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    connection.right.memory() = pattern(kMemory);
    connection.b.post_receive(4 * kMtu);
    connection.a.post(IBV_WR_SEND, pattern(4 * kMtu));
    connection.a.post(IBV_WR_RDMA_READ, Bytes(6 * kMtu)).what.rkey = key;
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 4096, send 6144");
    EXPECT_EQ(connection.a.sends[1].bytes, pattern(6 * kMtu));
    EXPECT_EQ(roce_qp_send_psn(connection.a.qp), 4U);
    EXPECT_EQ(roce_qp_receive_psn(connection.b.qp), 4U);
}

TEST(ReliableConnectionTest, TwoQueuePairsOfOneDeviceNeedNoFrames) {
    Network network;
    Device device(network, 1);
    QueuePair& a = device.make(0x40, IBV_QPT_RC);
    QueuePair& b = device.make(0x41, IBV_QPT_RC);
    *roce_qp_attributes(a.qp) = usual_attributes(device.path_to(device), b.qpn);
    *roce_qp_attributes(b.qp) = usual_attributes(device.path_to(device), a.qpn);
    for (QueuePair* each : {&a, &b}) {
        for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
            ASSERT_TRUE(roce_qp_set_state(each->qp, state));
        }
    }
    b.post_receive(200000);
    a.post(IBV_WR_SEND, pattern(200000));
    roce_qp_kick(a.qp);
    network.run();
    EXPECT_EQ(a.summary(), "send 200000");
    EXPECT_EQ(b.receives[0].bytes, pattern(200000));
    EXPECT_EQ(network.frames(), 0U);
    EXPECT_EQ(device.counters().retries, 0U);
}

TEST(ReliableConnectionTest, AFenceWaitsForReadsBeforeIt) {
    Connection connection;
    const uint32_t key =
        connection.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE);
    connection.right.memory() = pattern(kMemory);
    connection.a.post(IBV_WR_RDMA_READ, Bytes(100 * kMtu)).what.rkey = key;
    Send& write = connection.a.post(IBV_WR_RDMA_WRITE, Bytes(100 * kMtu, 0xee));
    write.what.rkey = key;
    write.what.fence = true;
    connection.run();
    EXPECT_EQ(connection.a.sends[0].bytes, pattern(100 * kMtu));
    EXPECT_EQ(connection.right.memory()[5], 0xee);
}

TEST(ReliableConnectionTest, NoMoreReadsAreOutThanAllowed) {
    Connection connection(IBV_QPT_RC, Link::kIpv4,
                          [](RoceQpAttributes& attributes) { attributes.max_reads = 2; });
    const uint32_t key = connection.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    for (int i = 0; i < 10; ++i) {
        connection.a.post(IBV_WR_RDMA_READ, Bytes(3 * kMtu)).what.rkey = key;
    }
    int out = 0;
    int most = 0;
    connection.network.set_filter([&](size_t, Bytes& frame) {
        const uint8_t opcode = frame[14 + 20 + 8];
        out += opcode == IBV_OPCODE_RC_RDMA_READ_REQUEST;
        out -= opcode == IBV_OPCODE_RC_RDMA_READ_RESPONSE_LAST;
        most = std::max(most, out);
        return true;
    });
    connection.run();
    EXPECT_EQ(connection.a.completions.size(), 10U);
    EXPECT_EQ(most, 2);
}

TEST(ReliableConnectionTest, AcknowledgementsAreCoalesced) {
    Connection connection;
    for (int i = 0; i < 40; ++i) {
        connection.b.post_receive(8);
        connection.a.post(IBV_WR_SEND, pattern(8));
    }
    connection.run();
    EXPECT_EQ(connection.a.completions.size(), 40U);
    EXPECT_LT(connection.network.frames(), 60U);
}

TEST(ReliableConnectionTest, LocalRequestsTakeTheirTurnAndNoPacket) {
    Connection connection;
    connection.b.post_receive(8);
    connection.a.post(IBV_WR_SEND, pattern(8));
    connection.a.post(IBV_WR_LOCAL_INV, {}).what.local = true;
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 8, send 0");
    EXPECT_EQ(connection.a.locals, 1U);
}

TEST(ReliableConnectionTest, TheFirstPacketEstablishesACommunication) {
    Connection connection;
    Network& network = connection.network;
    Device other(network, 3);
    QueuePair& c = connection.right.make(0x60, IBV_QPT_RC);
    QueuePair& d = other.make(0x70, IBV_QPT_RC);
    *roce_qp_attributes(c.qp) = usual_attributes(connection.right.path_to(other), d.qpn);
    *roce_qp_attributes(d.qp) = usual_attributes(other.path_to(connection.right), c.qpn);
    for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR}) {
        ASSERT_TRUE(roce_qp_set_state(c.qp, state));
        ASSERT_TRUE(roce_qp_set_state(d.qp, state));
    }
    ASSERT_TRUE(roce_qp_set_state(d.qp, IBV_QPS_RTS));
    c.post_receive(8);
    c.post_receive(8);
    d.post(IBV_WR_SEND, pattern(8));
    d.post(IBV_WR_SEND, pattern(8));
    roce_qp_kick(d.qp);
    network.run();
    EXPECT_EQ(c.summary(), "recv 8, recv 8");
    EXPECT_EQ(c.events, std::vector<enum ibv_event_type>{IBV_EVENT_COMM_EST});
}

TEST(ReliableConnectionTest, ADrainedSendQueueSaysSoOnce) {
    Connection connection;
    connection.b.post_receive(8);
    connection.a.post(IBV_WR_SEND, pattern(8));
    connection.run();
    ASSERT_TRUE(roce_qp_set_state(connection.a.qp, IBV_QPS_SQD));
    connection.a.post(IBV_WR_SEND, pattern(8));
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 8");
    EXPECT_EQ(connection.a.events, std::vector<enum ibv_event_type>{IBV_EVENT_SQ_DRAINED});
    connection.b.post_receive(8);
    ASSERT_TRUE(roce_qp_set_state(connection.a.qp, IBV_QPS_RTS));
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 8, send 8");
}

}  // namespace
}  // namespace vrdma::roce
