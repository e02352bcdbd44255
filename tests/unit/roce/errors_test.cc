// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What ends a request or a connection in an error, and what each side is told.
#include <gtest/gtest.h>

#include <algorithm>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

std::string failed(const char* side, enum ibv_wc_status status) {
    return std::string(side) + " " + ibv_wc_status_str(status);
}

using Events = std::vector<enum ibv_event_type>;

class ErrorsTest : public testing::Test {
  protected:
    void expect(enum ibv_wc_status status, const Events& events) {
        connection_.run();
        EXPECT_EQ(a_.summary(), failed("send", status));
        EXPECT_EQ(b_.events, events);
        EXPECT_EQ(roce_qp_state(a_.qp), IBV_QPS_ERR);
        EXPECT_EQ(roce_qp_state(b_.qp), events.empty() ? IBV_QPS_RTS : IBV_QPS_ERR);
        EXPECT_EQ(a_.moved, 1U);
    }

    Connection connection_;
    QueuePair& a_ = connection_.a;
    QueuePair& b_ = connection_.b;
};

TEST_F(ErrorsTest, AWriteWithoutItsKeyIsARemoteAccessError) {
    a_.post(IBV_WR_RDMA_WRITE, pattern(10)).what.rkey = 0xbad;
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
}

TEST_F(ErrorsTest, AWriteBeyondItsKeyChangesNothing) {
    const uint32_t key = connection_.right.add_key(0, 5 * kMtu - 1, IBV_ACCESS_REMOTE_WRITE);
    a_.post(IBV_WR_RDMA_WRITE, pattern(5 * kMtu)).what.rkey = key;
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
    EXPECT_EQ(connection_.right.memory(), Bytes(kMemory));
}

TEST_F(ErrorsTest, AReadWithoutItsRightIsARemoteAccessError) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
    a_.post(IBV_WR_RDMA_READ, Bytes(10)).what.rkey = key;
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
}

TEST_F(ErrorsTest, AReadWhoseKeyGoesMeanwhileEndsThere) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    a_.post(IBV_WR_RDMA_READ, Bytes(100 * kMtu)).what.rkey = key;
    connection_.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 5) {
            connection_.right.remove_key(key);
        }
        return true;
    });
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
}

TEST_F(ErrorsTest, AnAtomicWithoutItsRightIsARemoteAccessError) {
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
    a_.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8)).what.rkey = key;
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
}

TEST_F(ErrorsTest, AnAtomicThatIsNotAlignedIsInvalid) {
    Send& send = a_.post(IBV_WR_ATOMIC_FETCH_AND_ADD, Bytes(8));
    send.what.rkey = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_ATOMIC);
    send.what.remote_address = 4;
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_REQ_ERR});
}

TEST_F(ErrorsTest, AnOperationThatTheQueuePairDoesNotAllowIsInvalid) {
    roce_qp_attributes(b_.qp)->access = IBV_ACCESS_REMOTE_READ;
    a_.post(IBV_WR_RDMA_WRITE, pattern(10)).what.rkey =
        connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_WRITE);
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_REQ_ERR});
}

TEST_F(ErrorsTest, MoreReadsThanTheOtherSideServesAreInvalid) {
    roce_qp_attributes(b_.qp)->max_reads_served = 0;
    a_.post(IBV_WR_RDMA_READ, Bytes(10)).what.rkey =
        connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_REQ_ERR});
}

TEST_F(ErrorsTest, AMessageLongerThanTheReceiveRequestFailsOnBothSides) {
    b_.post_receive(2 * kMtu - 1);
    a_.post(IBV_WR_SEND, pattern(2 * kMtu));
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_FATAL});
    EXPECT_EQ(b_.summary(), failed("recv", IBV_WC_LOC_LEN_ERR));
}

TEST_F(ErrorsTest, AReceiveRequestWithABadLocalKeyFailsOnBothSides) {
    b_.post_receive(10);
    b_.receives[0].scatter_status = IBV_WC_LOC_PROT_ERR;
    a_.post(IBV_WR_SEND, pattern(10));
    expect(IBV_WC_REM_OP_ERR, {IBV_EVENT_QP_FATAL});
    EXPECT_EQ(b_.summary(), failed("recv", IBV_WC_LOC_PROT_ERR));
}

TEST_F(ErrorsTest, InvalidatingWhatIsNoKeyFailsOnBothSides) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND_WITH_INV, pattern(10)).what.invalidate_rkey = 0xbad;
    expect(IBV_WC_REM_ACCESS_ERR, {IBV_EVENT_QP_ACCESS_ERR});
    EXPECT_EQ(b_.summary(), failed("recv", IBV_WC_LOC_ACCESS_ERR));
}

TEST_F(ErrorsTest, WhatAnsweredBeforeTheErrorIsComplete) {
    b_.post_receive(10);
    const uint32_t key = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    a_.post(IBV_WR_SEND, pattern(10));
    a_.post(IBV_WR_RDMA_READ, Bytes(30 * kMtu)).what.rkey = key;
    a_.post(IBV_WR_RDMA_WRITE, pattern(10)).what.rkey = 0xbad;
    a_.post(IBV_WR_SEND, pattern(10));
    connection_.run();
    EXPECT_EQ(a_.summary(), "send 10, send 30720, " + failed("send", IBV_WC_REM_ACCESS_ERR) + ", " +
                                failed("send", IBV_WC_WR_FLUSH_ERR));
}

TEST_F(ErrorsTest, ALocalKeyThatIsBadFailsAfterWhatIsBeforeIt) {
    b_.post_receive(10);
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    a_.post(IBV_WR_SEND, pattern(10)).gather_status = IBV_WC_LOC_PROT_ERR;
    connection_.run();
    EXPECT_EQ(a_.summary(), "send 10, " + failed("send", IBV_WC_LOC_PROT_ERR));
    EXPECT_EQ(roce_qp_state(a_.qp), IBV_QPS_ERR);
}

TEST(ErrorsOfOneRetryTest, AnAcknowledgementMayReachIntoTheRequestThatFails) {
    // The packet with the number 127 asks for an acknowledgement, the one after it has no data.
    Connection connection(IBV_QPT_RC, Link::kIpv4, [](RoceQpAttributes& attributes) {
        attributes.retry_count = 0;
        attributes.send_psn = attributes.receive_psn = 126;
    });
    connection.b.post_receive(kMtu);
    connection.b.post_receive(3 * kMtu);
    connection.a.post(IBV_WR_SEND, pattern(kMtu));
    Send& second = connection.a.post(IBV_WR_SEND, pattern(3 * kMtu));
    second.gather_status = IBV_WC_LOC_PROT_ERR;
    second.gather_end = kMtu;
    connection.run();
    EXPECT_EQ(connection.a.summary(), "send 1024, " + failed("send", IBV_WC_LOC_PROT_ERR));
}

TEST_F(ErrorsTest, ALocalKeyForAResponseThatIsBadFailsTheRead) {
    Send& read = a_.post(IBV_WR_RDMA_READ, Bytes(10));
    read.what.rkey = connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    read.gather_status = IBV_WC_LOC_PROT_ERR;
    expect(IBV_WC_LOC_PROT_ERR, {});
}

TEST_F(ErrorsTest, AMessageOfMoreThanTwoGibibytesIsALengthError) {
    a_.post(IBV_WR_SEND, pattern(1)).what.length = (1U << 31) + 1;
    expect(IBV_WC_LOC_LEN_ERR, {});
}

TEST_F(ErrorsTest, AnUnknownOperationIsAnErrorOfTheQueuePair) {
    a_.post(IBV_WR_TSO, pattern(1));
    expect(IBV_WC_LOC_QP_OP_ERR, {});
}

TEST_F(ErrorsTest, MovingToErrorFlushesWhatIsOutAndTellsASharedQueuesOwner) {
    roce_qp_attributes(a_.qp)->shared_receive = true;
    a_.post(IBV_WR_SEND, pattern(10));
    a_.post(IBV_WR_SEND, pattern(10));
    connection_.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 0) {
            roce_qp_set_state(a_.qp, IBV_QPS_ERR);
        }
        return true;
    });
    connection_.run();
    EXPECT_EQ(a_.summary(),
              failed("send", IBV_WC_WR_FLUSH_ERR) + ", " + failed("send", IBV_WC_WR_FLUSH_ERR));
    EXPECT_EQ(a_.events, Events{IBV_EVENT_QP_LAST_WQE_REACHED});
}

TEST_F(ErrorsTest, AResetDropsWhatIsOut) {
    a_.post(IBV_WR_SEND, pattern(10));
    roce_qp_kick(a_.qp);
    connection_.network.set_filter([&](size_t, Bytes& /*frame*/) {
        roce_qp_set_state(a_.qp, IBV_QPS_RESET);
        return false;
    });
    connection_.network.run();
    EXPECT_EQ(a_.summary(), "");
    EXPECT_EQ(a_.dropped, 1U);
}

TEST_F(ErrorsTest, AQueuePairMayGoWhileItsPacketsAreOnTheWire) {
    a_.post(IBV_WR_SEND, pattern(10));
    roce_qp_kick(a_.qp);
    connection_.network.set_filter([&](size_t number, Bytes& /*frame*/) {
        if (number == 0) {
            connection_.right.destroy(b_);
        }
        return true;
    });
    connection_.network.run();
    EXPECT_EQ(a_.summary(), failed("send", IBV_WC_RETRY_EXC_ERR));
    EXPECT_GE(connection_.right.counters().no_queue_pair, 4U);
}

// A frame of the connection, changed and with its CRC made right again.
void refresh(Bytes& frame) {
    RoceAddress address{};
    const uint8_t* packet = nullptr;
    size_t size = 0;
    roce_frame_parse(frame.data(), frame.size(), &address, &packet, &size);
    const Bytes copy(packet, packet + size);
    Bytes fresh(kRoceMaxFrame);
    fresh.resize(roce_frame_build(&address, copy.data(), copy.size(), fresh.data()));
    frame = fresh;
}

constexpr size_t kBth = 14 + 20 + 8;

TEST_F(ErrorsTest, AWrongPartitionKeyIsNotAnswered) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    roce_qp_attributes(a_.qp)->pkey = 0x8001;
    connection_.run();
    EXPECT_EQ(a_.summary(), failed("send", IBV_WC_RETRY_EXC_ERR));
    EXPECT_EQ(connection_.right.counters().bad_pkey, 4U);
}

TEST_F(ErrorsTest, TwoLimitedMembersOfAPartitionDoNotTalk) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    roce_qp_attributes(a_.qp)->pkey = 0x7fff;
    roce_qp_attributes(b_.qp)->pkey = 0x7fff;
    connection_.run();
    EXPECT_EQ(a_.summary(), failed("send", IBV_WC_RETRY_EXC_ERR));
}

// Makes the frame one between other addresses.
template <typename Change>
void readdress(Bytes& frame, const Change& change) {
    RoceAddress address{};
    const uint8_t* packet = nullptr;
    size_t size = 0;
    roce_frame_parse(frame.data(), frame.size(), &address, &packet, &size);
    change(address);
    Bytes changed(kRoceMaxFrame);
    changed.resize(roce_frame_build(&address, packet, size, changed.data()));
    frame = changed;
}

TEST_F(ErrorsTest, APacketOfAnotherSourceIsNotTheConnections) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    connection_.network.set_filter([](size_t, Bytes& frame) {
        readdress(frame, [](RoceAddress& address) { address.sgid[15] = 9; });
        return true;
    });
    connection_.run();
    EXPECT_EQ(a_.summary(), failed("send", IBV_WC_RETRY_EXC_ERR));
    EXPECT_EQ(connection_.right.counters().wrong_address, 4U);
}

TEST_F(ErrorsTest, AFrameForAnotherPortsAddressIsNobodys) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    // As a switch that does not know the address sends it to every port.
    connection_.network.set_filter([](size_t, Bytes& frame) {
        readdress(frame, [](RoceAddress& address) { address.dgid[15] = 9; });
        return true;
    });
    connection_.run();
    EXPECT_EQ(a_.summary(), failed("send", IBV_WC_RETRY_EXC_ERR));
    EXPECT_EQ(connection_.right.counters().received, 0U);
}

TEST_F(ErrorsTest, AMiddlePacketWithoutAFirstIsInvalid) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(kMtu));
    connection_.network.set_filter([](size_t number, Bytes& frame) {
        if (number == 0) {
            frame[kBth] = IBV_OPCODE_RC_SEND_MIDDLE;
            refresh(frame);
        }
        return true;
    });
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_REQ_ERR});
}

TEST_F(ErrorsTest, AShortPacketInTheMiddleIsInvalid) {
    b_.post_receive(4 * kMtu);
    a_.post(IBV_WR_SEND, pattern(3 * kMtu));
    connection_.network.set_filter([](size_t number, Bytes& frame) {
        if (number == 1) {
            frame[kBth + 1] |= 0x10;  // a byte of the payload becomes padding
            refresh(frame);
        }
        return true;
    });
    expect(IBV_WC_REM_INV_REQ_ERR, {IBV_EVENT_QP_REQ_ERR});
    EXPECT_EQ(b_.summary(), failed("recv", IBV_WC_WR_FLUSH_ERR));
}

TEST_F(ErrorsTest, AResponseOfAWrongLengthIsABadResponse) {
    a_.post(IBV_WR_RDMA_READ, Bytes(kMtu)).what.rkey =
        connection_.right.add_key(0, kMemory, IBV_ACCESS_REMOTE_READ);
    connection_.network.set_filter([](size_t number, Bytes& frame) {
        if (number == 1) {
            frame[kBth + 1] |= 0x10;
            refresh(frame);
        }
        return true;
    });
    expect(IBV_WC_BAD_RESP_ERR, {});
}

TEST_F(ErrorsTest, AnAcknowledgementOfWhatWasNotSentIsNothing) {
    b_.post_receive(10);
    a_.post(IBV_WR_SEND, pattern(10));
    connection_.network.set_filter([](size_t number, Bytes& frame) {
        if (number == 1) {
            frame[kBth + 11] += 5;
            refresh(frame);
        }
        return true;
    });
    connection_.run();
    EXPECT_EQ(a_.summary(), "send 10");
    EXPECT_EQ(connection_.left.counters().timeouts, 1U);
}

TEST(AttributesTest, WhatMakesNoSenseIsRefused) {
    const auto accepted = [](const std::function<void(RoceQpAttributes&)>& change) {
        Network network;
        Device device(network, 1);
        QueuePair& qp = device.make(0x40, IBV_QPT_RC);
        *roce_qp_attributes(qp.qp) = usual_attributes(device.path_to(device), 0x40);
        change(*roce_qp_attributes(qp.qp));
        return roce_qp_set_state(qp.qp, IBV_QPS_RTR);
    };
    EXPECT_TRUE(accepted([](RoceQpAttributes&) {}));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.mtu = 0; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.mtu = 1000; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.mtu = 8192; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.receive_psn = 1U << 24; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.max_reads_served = 17; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.timeout = 32; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.min_rnr_timer = 32; }));
    EXPECT_FALSE(accepted([](RoceQpAttributes& a) { a.retry_count = 8; }));
}

TEST(TransportTest, ANumberIsGivenOnce) {
    Network network;
    Device device(network, 1);
    device.make(0x40, IBV_QPT_RC);
    EXPECT_EQ(roce_qp_new(device.transport(), 0x40, IBV_QPT_RC, nullptr), nullptr);
}

}  // namespace
}  // namespace vrdma::roce
