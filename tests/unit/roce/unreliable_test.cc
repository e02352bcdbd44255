// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Unreliable connections, datagrams, groups and extended reliable connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

constexpr size_t kHeader = kRoceNetworkHeaderBytes;

TEST(UnreliableConnectionTest, SendsAndWritesArriveWithoutAnAnswer) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{kMtu}, size_t{5 * kMtu + 1}}) {
        Connection connection(IBV_QPT_UC);
        const uint32_t key = connection.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
        connection.b.post_receive(size);
        connection.b.post_receive(0);
        connection.a.post(IBV_WR_SEND, pattern(size));
        connection.a.post(IBV_WR_RDMA_WRITE, pattern(size)).what.rkey = key;
        Send& last = connection.a.post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(size));
        last.what.rkey = key;
        last.what.remote_address = 100000;
        connection.run();
        const std::string bytes = std::to_string(size);
        std::string sent = "send ";
        sent.append(bytes).append(", send ").append(bytes).append(", send ").append(bytes);
        std::string received = "recv ";
        received.append(bytes).append(", recv ").append(bytes);
        EXPECT_EQ(connection.a.summary(), sent);
        EXPECT_EQ(connection.b.summary(), received);
        EXPECT_EQ(connection.b.receives[0].bytes, pattern(size));
        const Bytes& memory = connection.right.memory();
        EXPECT_TRUE(std::equal(last.bytes.begin(), last.bytes.end(), memory.begin()));
        EXPECT_TRUE(std::equal(last.bytes.begin(), last.bytes.end(), memory.begin() + 100000));
        EXPECT_EQ(connection.network.frames(), 3 * std::max<size_t>(1, (size + kMtu - 1) / kMtu));
    }
}

TEST(UnreliableConnectionTest, AMessageOfWhichAnythingIsLostIsLostAlone) {
    for (size_t lost = 0; lost < 9; ++lost) {
        SCOPED_TRACE(lost);
        Connection connection(IBV_QPT_UC);
        for (int i = 0; i < 3; ++i) {
            connection.b.post_receive(3 * kMtu);
            connection.a.post(IBV_WR_SEND, pattern(3 * kMtu, static_cast<uint8_t>(i)));
        }
        connection.network.set_filter([&](size_t number, Bytes&) { return number != lost; });
        connection.run();
        EXPECT_EQ(connection.a.summary(), "send 3072, send 3072, send 3072");
        EXPECT_EQ(connection.b.summary(), "recv 3072, recv 3072");
        EXPECT_EQ(connection.b.receives[0].bytes, pattern(3 * kMtu, lost < 3 ? 1 : 0));
        EXPECT_EQ(connection.b.receives[1].bytes, pattern(3 * kMtu, lost < 6 ? 2 : 1));
    }
}

TEST(UnreliableConnectionTest, WhatHasNoReceiveRequestOrNoRightIsLost) {
    Connection connection(IBV_QPT_UC);
    connection.a.post(IBV_WR_SEND, pattern(2 * kMtu));
    connection.a.post(IBV_WR_RDMA_WRITE, pattern(2 * kMtu)).what.rkey = 0xbad;
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 2048, send 2048");
    EXPECT_EQ(connection.b.summary(), "");
    EXPECT_EQ(roce_qp_state(connection.b.qp), IBV_QPS_RTS);
}

TEST(UnreliableConnectionTest, AReadIsNoOperationOfIt) {
    Connection connection(IBV_QPT_UC);
    connection.a.post(IBV_WR_RDMA_READ, Bytes(1));
    connection.run();
    EXPECT_EQ(connection.a.completions[0].status, IBV_WC_LOC_QP_OP_ERR);
    EXPECT_EQ(roce_qp_state(connection.a.qp), IBV_QPS_SQE);
}

// Puts the destination into a datagram's request.
Send& to(Send& send, const RoceAddress& address, uint32_t qpn, uint32_t qkey = 0x11111111) {
    send.address = address;
    send.what.remote_qpn = qpn;
    send.what.remote_qkey = qkey;
    return send;
}

class DatagramTest : public testing::TestWithParam<Link> {
  protected:
    DatagramTest() : connection_(IBV_QPT_UD, GetParam()) {}

    RoceAddress path() const { return connection_.left.path_to(connection_.right); }

    Connection connection_;
    QueuePair& a_ = connection_.a;
    QueuePair& b_ = connection_.b;
};

TEST_P(DatagramTest, ArrivesBehindTheNetworkHeader) {
    for (const size_t size : {size_t{0}, size_t{3}, size_t{kMtu}}) {
        b_.post_receive(kHeader + size);
        to(a_.post(IBV_WR_SEND_WITH_IMM, pattern(size)), path(), b_.qpn);
        connection_.run();
        const Bytes& got = b_.receives.back().bytes;
        const RoceReceived& received = b_.completions.back().received;
        EXPECT_EQ(a_.completions.back().status, IBV_WC_SUCCESS);
        EXPECT_EQ(received.length, kHeader + size);
        EXPECT_EQ(received.source_qpn, a_.qpn);
        EXPECT_EQ(received.pkey, 0xffff);
        EXPECT_EQ(Bytes(got.begin() + kHeader, got.end()), pattern(size));
        if (GetParam() == Link::kLid) {
            EXPECT_EQ(Bytes(got.begin(), got.begin() + kHeader), Bytes(kHeader));
        } else if (GetParam() != Link::kIpv4) {
            EXPECT_EQ(got[0] >> 4, 6);
            EXPECT_EQ(std::memcmp(got.data() + 8, path().sgid, 16), 0);
            EXPECT_EQ(std::memcmp(got.data() + 24, path().dgid, 16), 0);
        } else {
            EXPECT_EQ(Bytes(got.begin(), got.begin() + 20), Bytes(20));
            EXPECT_EQ(got[20], 0x45);
            EXPECT_EQ(std::memcmp(got.data() + 32, path().sgid + 12, 4), 0);
            EXPECT_EQ(std::memcmp(got.data() + 36, path().dgid + 12, 4), 0);
        }
    }
}

TEST_P(DatagramTest, AnotherQKeyIsLostInSilence) {
    b_.post_receive(100);
    to(a_.post(IBV_WR_SEND, pattern(3)), path(), b_.qpn, 0x22222222);
    connection_.run();
    EXPECT_EQ(a_.summary(), "send 3");
    EXPECT_EQ(b_.summary(), "");
    EXPECT_EQ(connection_.right.counters().bad_qkey, 1U);
}

TEST_P(DatagramTest, AControlledQKeyIsTheQueuePairsOwn) {
    b_.post_receive(100);
    to(a_.post(IBV_WR_SEND, pattern(3)), path(), b_.qpn, 0x80010000);
    connection_.run();
    EXPECT_EQ(b_.summary(), "recv 43");
}

TEST_P(DatagramTest, MoreThanAPacketIsALengthError) {
    to(a_.post(IBV_WR_SEND, pattern(kMtu + 1)), path(), b_.qpn);
    connection_.run();
    EXPECT_EQ(a_.completions[0].status, IBV_WC_LOC_LEN_ERR);
    EXPECT_EQ(roce_qp_state(a_.qp), IBV_QPS_SQE);
    ASSERT_TRUE(roce_qp_set_state(a_.qp, IBV_QPS_RTS));
    b_.post_receive(100);
    to(a_.post(IBV_WR_SEND, pattern(3)), path(), b_.qpn);
    connection_.run();
    EXPECT_EQ(b_.summary(), "recv 43");
}

TEST_P(DatagramTest, AReceiveRequestThatIsTooSmallEndsTheQueuePair) {
    b_.post_receive(kHeader + 2);
    to(a_.post(IBV_WR_SEND, pattern(3)), path(), b_.qpn);
    connection_.run();
    EXPECT_EQ(b_.completions[0].status, IBV_WC_LOC_LEN_ERR);
    EXPECT_EQ(roce_qp_state(b_.qp), IBV_QPS_ERR);
}

TEST_P(DatagramTest, WhatHasNoReceiveRequestIsLost) {
    to(a_.post(IBV_WR_SEND, pattern(3)), path(), b_.qpn);
    connection_.run();
    EXPECT_EQ(a_.summary(), "send 3");
    EXPECT_EQ(b_.summary(), "");
}

TEST_P(DatagramTest, QueuePairOneTakesEachPartitionOfThePort) {
    QueuePair& gsi = connection_.right.make(1, IBV_QPT_UD);
    const uint16_t pkeys[] = {0xffff, 0x8005};
    roce_transport_set_pkeys(connection_.right.transport(), pkeys, 2);
    *roce_qp_attributes(gsi.qp) = usual_attributes({}, 0);
    roce_qp_attributes(gsi.qp)->qkey = 0x80010000;
    for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
        ASSERT_TRUE(roce_qp_set_state(gsi.qp, state));
    }
    roce_qp_attributes(a_.qp)->qkey = 0x80010000;
    roce_qp_attributes(a_.qp)->source_qpn = 1;
    for (const uint16_t pkey : {0xffff, 0x8005, 0x0005, 0x8006}) {
        gsi.post_receive(100);
        roce_qp_attributes(a_.qp)->pkey = pkey;
        to(a_.post(IBV_WR_SEND, pattern(3)), path(), 1, 0x80010000);
        connection_.run();
    }
    ASSERT_EQ(gsi.completions.size(), 3U);
    EXPECT_EQ(gsi.completions[0].received.source_qpn, 1U);
    EXPECT_EQ(gsi.completions[2].received.pkey, 0x0005);
}

TEST_P(DatagramTest, AGroupsDatagramsReachItsMembersHereAndThere) {
    Network& network = connection_.network;
    Device third(network, 3, GetParam());
    // A group has a GID, whatever names the others.
    const Link link = GetParam() == Link::kLid ? Link::kLidAndGid : GetParam();
    RoceAddress group = path_between(1, 2, link);
    const uint8_t ipv6[] = {0xff, 0x0e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7};
    const uint8_t ipv4[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 239, 1, 2, 3};
    std::memcpy(group.dgid, link == Link::kIpv4 ? ipv4 : ipv6, 16);
    group.dmac[0] = link == Link::kIpv4 ? 0x01 : 0x33;
    group.dlid = 0xc007;
    QueuePair& here = connection_.left.make(0x61, IBV_QPT_UD);
    QueuePair& there = third.make(0x62, IBV_QPT_UD);
    for (QueuePair* each : {&here, &there}) {
        *roce_qp_attributes(each->qp) = usual_attributes({}, 0);
        for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
            ASSERT_TRUE(roce_qp_set_state(each->qp, state));
        }
        each->post_receive(100);
        EXPECT_TRUE(roce_multicast_attach(each->qp, group.dgid));
        EXPECT_FALSE(roce_multicast_attach(each->qp, group.dgid));
    }
    b_.post_receive(100);  // no member
    to(a_.post(IBV_WR_SEND, pattern(3)), group, kRoceMulticastQpn);
    connection_.run();
    EXPECT_EQ(here.summary(), "recv 43");
    EXPECT_EQ(there.summary(), "recv 43");
    EXPECT_EQ(b_.summary(), "");
    EXPECT_TRUE(roce_multicast_detach(here.qp, group.dgid));
    EXPECT_FALSE(roce_multicast_detach(here.qp, group.dgid));
    connection_.left.destroy(here);
    third.destroy(there);
    to(a_.post(IBV_WR_SEND, pattern(3)), group, kRoceMulticastQpn);
    connection_.run();
}

INSTANTIATE_TEST_SUITE_P(Links, DatagramTest, testing::ValuesIn(kLinks));

TEST(ExtendedReliableTest, EachRequestNamesItsSharedReceiveQueue) {
    Connection connection(IBV_QPT_XRC_SEND);
    const uint32_t key = connection.right.add_key(
        0, kMemory, IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC);
    connection.b.post_receive(3 * kMtu);
    connection.b.post_receive(0);
    connection.a.post(IBV_WR_SEND, pattern(3 * kMtu)).what.srq_number = 0x123;
    Send& write = connection.a.post(IBV_WR_RDMA_WRITE_WITH_IMM, pattern(kMtu + 5));
    write.what.srq_number = 0x124;
    write.what.rkey = key;
    connection.a.post(IBV_WR_RDMA_READ, Bytes(kMtu + 5)).what.rkey = key;
    Send& add = connection.a.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
    add.what.rkey = key;
    add.what.compare_add = 1;
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 3072, send 1029, send 1029, send 8");
    EXPECT_EQ(connection.b.summary(), "recv 3072, recv 1029");
    EXPECT_EQ(connection.b.srq_numbers, (std::vector<uint32_t>{0x123, 0x124}));
    EXPECT_EQ(connection.a.sends[2].bytes, pattern(kMtu + 5));
}

class SharedQueuesDomainTest : public testing::TestWithParam<enum ibv_wr_opcode> {
  protected:
    // How a request with a key in the domain of queue 0x123 ends if it names this queue.
    enum ibv_wc_status status_with(uint32_t srq_number) {
        Connection connection(IBV_QPT_XRC_SEND);
        const bool atomic = GetParam() == IBV_WR_ATOMIC_FETCH_AND_ADD;
        Send& send = connection.a.post(GetParam(), Bytes(atomic ? 8 : 3 * kMtu));
        send.what.rkey = connection.right.add_key(
            0, kMemory, IBV_ACCESS_REMOTE_READ | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_ATOMIC,
            0x123);
        send.what.srq_number = srq_number;
        connection.run();
        return connection.a.completions.at(0).status;
    }
};

TEST_P(SharedQueuesDomainTest, HasTheKeysOfRequestsThatNameIt) {
    EXPECT_EQ(status_with(0x123), IBV_WC_SUCCESS);
    EXPECT_EQ(status_with(0x124), IBV_WC_REM_ACCESS_ERR);
}

INSTANTIATE_TEST_SUITE_P(Requests, SharedQueuesDomainTest,
                         testing::Values(IBV_WR_RDMA_WRITE, IBV_WR_RDMA_READ,
                                         IBV_WR_ATOMIC_FETCH_AND_ADD));

}  // namespace
}  // namespace vrdma::roce
