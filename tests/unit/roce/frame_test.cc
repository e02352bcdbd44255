// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Frames as others make them, and what a hostile one must not do.
#include "roce_frame.h"

#include <gtest/gtest.h>

#include "fake_network.h"

namespace vrdma::roce {
namespace {

// Acknowledgements of Linux 6.1's rxe, taken from the wire (roce_against_rxe).
const char* const kOfRxe[] = {
    "02000000000202000000000108004500003093fe4000401192a80a0a00010a0a0002f52012b7001c0000"
    "1100ffff00004321000000641f000001c34ebfb4",
    "020000000002020000000001080045000030941740004011928f0a0a00010a0a0002f52012b7001c0000"
    "1100ffff00004321000000751f00000734664042",
};

// A datagram by IPv6 with a traffic class and a flow label, whose CRC was computed with zlib's
// crc32() by a program that finds the same CRC as rxe for the frames above.
const char* const kByIpv6 =
    "02000000000202000000000186dd6ab1234500281140fd100000000000000000000000000001fd1000000000"
    "00000000000000000002c12312b7002800006440ffff000001230000000711111111000004560102030405060708"
    "05818e7a";

struct Parsed {
    explicit Parsed(const Bytes& frame) {
        const uint8_t* bytes = nullptr;
        size_t size = 0;
        kind = roce_frame_parse(frame.data(), frame.size(), &address, &bytes, &size);
        if (kind == kRoceFrameGood) {
            packet.assign(bytes, bytes + size);
            sound = roce_packet_parse(packet.data(), packet.size(), &contents);
        }
    }

    RoceFrameKind kind;
    RoceAddress address{};
    Bytes packet;
    RocePacket contents{};
    bool sound = false;
};

TEST(FrameTest, AcknowledgementsOfRxeAreUnderstood) {
    const Parsed parsed(of_hex(kOfRxe[1]));
    ASSERT_EQ(parsed.kind, kRoceFrameGood);
    ASSERT_TRUE(parsed.sound);
    EXPECT_EQ(parsed.contents.opcode, IBV_OPCODE_RC_ACKNOWLEDGE);
    EXPECT_EQ(parsed.contents.dest_qpn, 0x4321U);
    EXPECT_EQ(parsed.contents.psn, 0x75U);
    EXPECT_EQ(parsed.contents.msn, 7U);
    EXPECT_EQ(parsed.contents.syndrome, kRoceSyndromeAck | kRoceNoCredits);
    EXPECT_TRUE(roce_gid_is_ipv4(parsed.address.sgid));
    EXPECT_EQ(parsed.address.sgid[15], 1);
    EXPECT_EQ(parsed.address.dgid[15], 2);
    EXPECT_EQ(Parsed(of_hex(kOfRxe[0])).kind, kRoceFrameGood);
}

TEST(FrameTest, AFrameByIpv6IsTheSameWhenItIsMadeAgain) {
    const Parsed parsed(of_hex(kByIpv6));
    ASSERT_EQ(parsed.kind, kRoceFrameGood);
    ASSERT_TRUE(parsed.sound);
    EXPECT_EQ(parsed.contents.qkey, 0x11111111U);
    EXPECT_EQ(parsed.contents.source_qpn, 0x456U);
    EXPECT_EQ(parsed.contents.size, 8U);
    EXPECT_EQ(parsed.address.traffic_class, 0xab);
    EXPECT_EQ(parsed.address.flow_label, 0x12345U);
    Bytes again(kRoceMaxFrame);
    again.resize(roce_frame_build(&parsed.address, parsed.packet.data(), parsed.packet.size(),
                                  again.data()));
    EXPECT_EQ(again, of_hex(kByIpv6));
}

TEST(FrameTest, WhatRoutersChangeIsNotInTheCrc) {
    Bytes frame = of_hex(kByIpv6);
    frame[14 + 7] -= 3;         // the hop limit
    frame[14 + 1] ^= 0x30;      // the mark of congestion, in the traffic class
    frame[14 + 48 + 4] = 0x40;  // the one of the transport
    EXPECT_EQ(Parsed(frame).kind, kRoceFrameGood);
}

TEST(FrameTest, EachBitOfThePacketIsInTheCrc) {
    const Bytes good = of_hex(kOfRxe[0]);
    for (size_t bit = size_t{14 + 20 + 8} * 8; bit < good.size() * 8; ++bit) {
        if (bit / 8 == 14 + 20 + 8 + 4) {
            continue;  // reserved: routers may change it
        }
        Bytes frame = good;
        frame[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        EXPECT_EQ(Parsed(frame).kind, kRoceFrameBad) << bit;
    }
}

TEST(FrameTest, AFrameThatEndsEarlyIsNotTaken) {
    for (const char* hex : {kOfRxe[0], kByIpv6}) {
        const Bytes good = of_hex(hex);
        for (size_t size = 0; size < good.size(); ++size) {
            // A buffer of this size alone, so that a sanitizer sees what reads beyond it.
            const Bytes frame(good.begin(), good.begin() + static_cast<ptrdiff_t>(size));
            EXPECT_NE(Parsed(frame).kind, kRoceFrameGood) << size;
        }
    }
}

TEST(FrameTest, PaddingOfEthernetIsNoPartOfThePacket) {
    Bytes frame = of_hex(kOfRxe[0]);
    const size_t before = Parsed(frame).packet.size();
    frame.resize(frame.size() + 20);
    EXPECT_EQ(Parsed(frame).kind, kRoceFrameGood);
    EXPECT_EQ(Parsed(frame).packet.size(), before);
}

TEST(FrameTest, ATagIsKept) {
    Parsed parsed(of_hex(kOfRxe[0]));
    parsed.address.tagged = true;
    parsed.address.vlan = 0x6005;
    Bytes frame(kRoceMaxFrame);
    frame.resize(roce_frame_build(&parsed.address, parsed.packet.data(), parsed.packet.size(),
                                  frame.data()));
    const Parsed again(frame);
    EXPECT_EQ(again.kind, kRoceFrameGood);
    EXPECT_TRUE(again.address.tagged);
    EXPECT_EQ(again.address.vlan, 0x6005);
}

TEST(FrameTest, OtherProtocolsAreTheHosts) {
    Bytes frame = of_hex(kOfRxe[0]);
    frame[14 + 20 + 3] = 0x35;  // another port
    EXPECT_EQ(Parsed(frame).kind, kRoceFrameOther);
    frame = of_hex(kOfRxe[0]);
    frame[14 + 9] = 6;  // TCP
    EXPECT_EQ(Parsed(frame).kind, kRoceFrameOther);
    frame[12] = 0x08, frame[13] = 0x06;  // ARP
    EXPECT_EQ(Parsed(frame).kind, kRoceFrameOther);
}

TEST(PacketTest, EachOpcodeIsWrittenAndReadTheSame) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
        RocePacket packet{};
        packet.opcode = static_cast<uint8_t>(opcode);
        Bytes bytes(kRoceMaxPacket);
        if (roce_opcode_parts(packet.opcode) == 0) {
            RocePacket none{};
            bytes[0] = packet.opcode;
            EXPECT_FALSE(roce_packet_parse(bytes.data(), 64, &none)) << opcode;
            continue;
        }
        packet.psn = 0x123456;
        packet.dest_qpn = 0xabcdef;
        packet.pkey = 0x8001;
        packet.size = 5;
        bytes.resize(roce_packet_finish(&packet, bytes.data()));
        EXPECT_EQ(bytes.size() % 4, 0U);
        RocePacket again{};
        ASSERT_TRUE(roce_packet_parse(bytes.data(), bytes.size(), &again)) << opcode;
        EXPECT_EQ(again.psn, packet.psn);
        EXPECT_EQ(again.dest_qpn, packet.dest_qpn);
        EXPECT_EQ(again.pkey, packet.pkey);
        EXPECT_EQ(again.size, 5U);
        bytes[1] |= 1;  // a version that is none
        EXPECT_FALSE(roce_packet_parse(bytes.data(), bytes.size(), &again));
    }
}

TEST(PacketTest, SequenceNumbersAreACircle) {
    EXPECT_EQ(roce_psn_distance(0, 0xffffff), 1);
    EXPECT_EQ(roce_psn_distance(0xffffff, 0), -1);
    EXPECT_EQ(roce_psn_distance(0x7fffff, 0), 0x7fffff);
    EXPECT_EQ(roce_psn_distance(0x800000, 0), -0x800000);
}

}  // namespace
}  // namespace vrdma::roce
