// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Packets of InfiniBand in frames: as another program makes them, and what a hostile one must not
// do.
#include "ib_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

constexpr size_t kLrhAt = 14;
constexpr size_t kGrhAt = kLrhAt + 8;

// Made by a program that finds the CRCs with zlib's crc32() and by dividing polynomials bit by bit:
// an acknowledgement with an LRH alone, of service level 3, and a datagram with a GRH.
const char* const kLocal =
    "02000000000202000000000188b500320002000700011140ffff00004321000000641f000001811147cb99fa";
const char* const kGlobal =
    "02000000000202000000000188b500030002001400016ab1234500201b40fe800000000000000000000000000001"
    "fe8000000000000000000000000000026440ffff0000012300000007111111110000045601020304050607089307"
    "51110544";

struct ParsedIb {
    explicit ParsedIb(const Bytes& frame) {
        const uint8_t* bytes = nullptr;
        size_t size = 0;
        kind = ib_frame_parse(frame.data(), frame.size(), &address, &bytes, &size);
        if (kind == kRoceFrameGood) {
            packet.assign(bytes, bytes + size);
        }
    }

    RoceFrameKind kind;
    RoceAddress address{};
    Bytes packet;
};

Bytes build(const RoceAddress& address, const Bytes& packet) {
    Bytes frame(kIbMaxFrame);
    frame.resize(ib_frame_build(&address, packet.data(), packet.size(), frame.data()));
    return frame;
}

// Computes the variant CRC of a frame again, as a switch does that changes the LRH.
void mend_vcrc(Bytes& frame) {
    uint32_t crc = 0xffff;
    for (size_t i = kLrhAt; i < frame.size() - 2; ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            const uint32_t out = (crc >> 15 ^ frame[i] >> bit) & 1;
            crc = (crc << 1 & 0xffff) ^ (out != 0 ? 0x100b : 0);
        }
    }
    for (int i = 0; i < 16; ++i) {
        uint8_t& byte = frame[frame.size() - 2 + static_cast<size_t>(i / 8)];
        const auto mask = static_cast<uint8_t>(1 << i % 8);
        byte = static_cast<uint8_t>((crc >> (15 - i) & 1) != 0 ? byte & ~mask : byte | mask);
    }
}

TEST(IbFrameTest, APacketWithALocalRouteIsTheSameWhenItIsMadeAgain) {
    const ParsedIb parsed(of_hex(kLocal));
    ASSERT_EQ(parsed.kind, kRoceFrameGood);
    EXPECT_FALSE(parsed.address.global);
    EXPECT_EQ(parsed.address.slid, 1);
    EXPECT_EQ(parsed.address.dlid, 2);
    EXPECT_EQ(parsed.address.service_level, 3);
    RocePacket packet{};
    ASSERT_TRUE(roce_packet_parse(parsed.packet.data(), parsed.packet.size(), &packet));
    EXPECT_EQ(packet.opcode, IBV_OPCODE_RC_ACKNOWLEDGE);
    EXPECT_EQ(packet.dest_qpn, 0x4321U);
    EXPECT_EQ(build(parsed.address, parsed.packet), of_hex(kLocal));
}

TEST(IbFrameTest, APacketWithAGlobalRouteIsTheSameWhenItIsMadeAgain) {
    const ParsedIb parsed(of_hex(kGlobal));
    ASSERT_EQ(parsed.kind, kRoceFrameGood);
    EXPECT_TRUE(parsed.address.global);
    EXPECT_EQ(parsed.address.traffic_class, 0xab);
    EXPECT_EQ(parsed.address.flow_label, 0x12345U);
    EXPECT_EQ(parsed.address.hop_limit, 0x40);
    EXPECT_EQ(parsed.address.sgid[15], 1);
    EXPECT_EQ(parsed.address.dgid[15], 2);
    const Bytes frame = of_hex(kGlobal);
    EXPECT_TRUE(std::equal(frame.begin() + kGrhAt, frame.begin() + kGrhAt + kRoceNetworkHeaderBytes,
                           parsed.address.network_header));
    EXPECT_EQ(build(parsed.address, parsed.packet), frame);
}

TEST(IbFrameTest, EachBitBehindTheEthernetHeaderIsInACrc) {
    for (const char* hex : {kLocal, kGlobal}) {
        const Bytes good = of_hex(hex);
        for (size_t bit = kLrhAt * 8; bit < good.size() * 8; ++bit) {
            Bytes frame = good;
            frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad) << bit;
        }
    }
}

// A switch computes the variant CRC again: what only the invariant one tells then.
TEST(IbFrameTest, TheInvariantCrcCoversWhatNobodyMayChange) {
    for (const char* hex : {kLocal, kGlobal}) {
        const bool global = hex == kGlobal;
        const size_t bth = global ? kGrhAt + kRoceNetworkHeaderBytes : kGrhAt;
        const Bytes good = of_hex(hex);
        for (size_t at = bth; at < good.size() - 2; ++at) {
            Bytes frame = good;
            frame[at] ^= 0x10;
            mend_vcrc(frame);
            // The byte for notifications of congestion is masked.
            EXPECT_EQ(ParsedIb(frame).kind, at == bth + 4 ? kRoceFrameGood : kRoceFrameBad) << at;
        }
    }
}

TEST(IbFrameTest, ARouterMayChangeItsFieldsAlone) {
    Bytes frame = of_hex(kGlobal);
    frame[kLrhAt + 7] = 9;      // the LID of the router
    frame[kGrhAt] ^= 0x0f;      // the traffic class
    frame[kGrhAt + 2] ^= 0xff;  // the flow label
    frame[kGrhAt + 7] -= 1;     // the hop limit
    mend_vcrc(frame);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameGood);
    frame = of_hex(kGlobal);
    frame[kGrhAt + 8 + 15] ^= 1;  // a GID
    mend_vcrc(frame);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad);
    frame = of_hex(kLocal);
    frame[kLrhAt + 7] = 9;  // there is no router without a GRH
    mend_vcrc(frame);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad);
}

TEST(IbFrameTest, AFrameThatEndsEarlyIsNotTaken) {
    for (const char* hex : {kLocal, kGlobal}) {
        const Bytes good = of_hex(hex);
        for (size_t size = 0; size < good.size(); ++size) {
            // A buffer of this size alone, so that a sanitizer sees what reads beyond it.
            const Bytes frame(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
            EXPECT_NE(ParsedIb(frame).kind, kRoceFrameGood) << size;
        }
    }
}

TEST(IbFrameTest, AnotherLengthIsNotTaken) {
    for (const char* hex : {kLocal, kGlobal}) {
        const Bytes good = of_hex(hex);
        const unsigned words = good[kLrhAt + 5];
        for (unsigned length = 0; length < 0x800; ++length) {
            Bytes frame = good;
            frame[kLrhAt + 4] = static_cast<uint8_t>(length >> 8);
            frame[kLrhAt + 5] = static_cast<uint8_t>(length);
            mend_vcrc(frame);
            EXPECT_EQ(ParsedIb(frame).kind, length == words ? kRoceFrameGood : kRoceFrameBad)
                << length;
        }
    }
    Bytes frame = of_hex(kGlobal);
    frame[kGrhAt + 5] -= 4;  // the payload's length in the GRH
    mend_vcrc(frame);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad);
}

TEST(IbFrameTest, PaddingOfEthernetIsNoPartOfThePacket) {
    Bytes frame = of_hex(kLocal);
    frame.resize(60);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameGood);
    EXPECT_EQ(ParsedIb(frame).packet, ParsedIb(of_hex(kLocal)).packet);
}

TEST(IbFrameTest, OtherProtocolsAreNoInfiniBand) {
    Bytes frame = of_hex(kLocal);
    frame[12] = 0x08, frame[13] = 0x00;
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameOther);
}

TEST(IbFrameTest, RawPacketsOtherVersionsAndOtherLanesAreNotTaken) {
    for (const auto& [at, change] :
         {std::pair<size_t, uint8_t>{0, 0x01}, {0, 0x10}, {0, 0xf0}, {1, 0x02}, {1, 0x01}}) {
        Bytes frame = of_hex(kLocal);
        frame[kLrhAt + at] ^= change;
        mend_vcrc(frame);
        EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad) << at << ' ' << int{change};
    }
}

TEST(IbFrameTest, OnlyLidsThatGoTogetherAreTaken) {
    const ParsedIb good(of_hex(kGlobal));
    struct Case {
        uint16_t slid, dlid;
        uint8_t prefix;  // of the destination's GID, 0: there is no GRH
        bool is_taken;
    };
    for (const Case& each : std::initializer_list<Case>{{1, 2, 0xfe, true},
                                                        {1, 0xbfff, 0, true},
                                                        {1, 0xc001, 0xff, true},
                                                        {0, 2, 0xfe, false},
                                                        {0xc001, 2, 0xfe, false},
                                                        {1, 0, 0, false},
                                                        {1, 0xffff, 0, false},
                                                        {1, 0xffff, 0xff, false},
                                                        {1, 0xc001, 0, false},
                                                        {1, 0xc001, 0xfe, false},
                                                        {1, 2, 0xff, false}}) {
        RoceAddress address = good.address;
        address.slid = each.slid;
        address.dlid = each.dlid;
        address.global = each.prefix != 0;
        address.dgid[0] = each.prefix;
        EXPECT_EQ(ib_address_is_valid(&address), each.is_taken) << each.slid << ' ' << each.dlid;
        EXPECT_EQ(!build(address, good.packet).empty(), each.is_taken);
    }
    // A sender that does not care: the addresses are those of the frame, the CRCs right.
    Bytes frame = of_hex(kGlobal);
    frame[kLrhAt + 2] = 0xc0;  // a group's LID, and a port's GID
    mend_vcrc(frame);
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameBad);
}

TEST(IbFrameTest, AGroupsFrameIsForAGroupOfEthernet) {
    ParsedIb parsed(of_hex(kGlobal));
    parsed.address.dlid = 0xc123;
    parsed.address.dgid[0] = 0xff;
    const Bytes frame = build(parsed.address, parsed.packet);
    EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 6), (Bytes{3, 0, 0, 0, 0xc1, 0x23}));
    EXPECT_EQ(ParsedIb(frame).kind, kRoceFrameGood);
}

TEST(IbFrameTest, TheLargestPacketFits) {
    const RoceAddress address = path_between(1, 2, Link::kLidAndGid);
    const Bytes packet = pattern(kRoceMaxPacket);
    const Bytes frame = build(address, packet);
    EXPECT_EQ(frame.size(), size_t{kIbMaxFrame});
    EXPECT_EQ(ParsedIb(frame).packet, packet);
    EXPECT_TRUE(build(address, pattern(kRoceMaxPacket + 4)).empty());
}

// A switch that has not learnt an address floods.
TEST(IbPortTest, APacketForAnotherPortsLidOrGidIsLost) {
    for (const Link link : {Link::kLid, Link::kLidAndGid}) {
        Connection connection(IBV_QPT_UD, link);
        Device third(connection.network, 3, link);
        QueuePair& other = third.make(connection.b.qpn, IBV_QPT_UD);
        *roce_qp_attributes(other.qp) = usual_attributes({}, 0);
        for (const auto state : {IBV_QPS_INIT, IBV_QPS_RTR, IBV_QPS_RTS}) {
            ASSERT_TRUE(roce_qp_set_state(other.qp, state));
        }
        other.post_receive(100);
        connection.network.set_filter([](size_t, Bytes& frame) {
            frame[kRoceMacBytes - 1] = 3;
            return true;
        });
        Send& send = connection.a.post(IBV_WR_SEND, pattern(3));
        send.address = connection.left.path_to(connection.right);
        send.what.remote_qpn = other.qpn;
        send.what.remote_qkey = 0x11111111;
        connection.run();
        EXPECT_EQ(other.summary(), "");
        EXPECT_EQ(third.counters().received, 0U);
        // Its LID, and another one's GID.
        Send& again = connection.a.post(IBV_WR_SEND, pattern(3));
        again.address = connection.left.path_to(connection.right);
        again.address.dlid = 3;
        again.what = send.what;
        connection.run();
        EXPECT_EQ(other.summary(), link == Link::kLid ? "recv 43" : "");
    }
}

TEST(IbPortTest, AConnectionTakesPacketsOfItsOtherSidesLidAlone) {
    Connection connection(IBV_QPT_RC, Link::kLidAndGid);
    connection.b.post_receive(3);
    roce_qp_attributes(connection.b.qp)->path.dlid = 7;
    connection.a.post(IBV_WR_SEND, pattern(3));
    connection.run();
    EXPECT_EQ(connection.b.summary(), "");
    EXPECT_GT(connection.right.counters().wrong_address, 0U);
}

TEST(IbPortTest, ADatagramTellsWhereItIsFrom) {
    for (const Link link : {Link::kLid, Link::kLidAndGid}) {
        Connection connection(IBV_QPT_UD, link);
        connection.b.post_receive(100);
        Send& send = connection.a.post(IBV_WR_SEND, pattern(3));
        send.address = connection.left.path_to(connection.right);
        send.address.service_level = 5;
        send.what.remote_qpn = connection.b.qpn;
        send.what.remote_qkey = 0x11111111;
        connection.run();
        ASSERT_EQ(connection.b.completions.size(), 1U);
        const RoceAddress& from = connection.b.completions[0].from;
        EXPECT_EQ(from.slid, 1);
        EXPECT_EQ(from.service_level, 5);
        EXPECT_EQ(from.global, link == Link::kLidAndGid);
        EXPECT_EQ(from.sgid[15], link == Link::kLidAndGid ? 1 : 0);
    }
}

}  // namespace
}  // namespace vrdma::roce
