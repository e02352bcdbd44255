// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <gtest/gtest.h>

#include "frames.h"

namespace vrdma::frames {
namespace {

Headers parsed(const Bytes& frame) {
    Headers headers{};
    EXPECT_TRUE(headers_parse(frame.data(), frame.size(), &headers));
    return headers;
}

class HeadersTest : public testing::TestWithParam<Frame> {};

TEST_P(HeadersTest, EachHeaderIsFound) {
    const Headers headers = parsed(GetParam().bytes());
    EXPECT_EQ(headers.network, GetParam().network());
    EXPECT_EQ(headers.version, GetParam().ip == Ip::kV4 ? 4U : 6U);
    EXPECT_EQ(headers.protocol, GetParam().protocol);
    EXPECT_EQ(headers.transport, GetParam().transport());
    EXPECT_EQ(headers.tagged, GetParam().tagged);
    EXPECT_EQ(headers.tag, GetParam().tagged ? 5 : 0);
    EXPECT_EQ(headers.end, GetParam().bytes().size());
}

TEST_P(HeadersTest, PaddingIsNoPartOfThePacket) {
    Bytes frame = GetParam().bytes();
    const size_t end = frame.size();
    frame.resize(end + 9, 0xee);
    EXPECT_EQ(parsed(frame).end, end);
}

TEST_P(HeadersTest, AFrameThatIsCutHasNoPacket) {
    const Bytes frame = GetParam().bytes();
    for (size_t size = kEthernetHeader; size < frame.size(); size++) {
        const Bytes cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(size));
        EXPECT_EQ(parsed(cut).version, 0U) << size;
        EXPECT_EQ(parsed(cut).transport, 0U) << size;
    }
}

TEST_P(HeadersTest, ChecksumsAreRightOnceTheyAreWritten) {
    Bytes frame = GetParam().bytes();
    const Headers headers = parsed(frame);
    EXPECT_EQ(checksum_network_is_right(frame.data(), &headers), GetParam().ip == Ip::kV6);
    checksum_network(frame.data(), &headers);
    checksum_transport(frame.data(), &headers);
    EXPECT_TRUE(checksum_network_is_right(frame.data(), &headers));
    EXPECT_TRUE(checksum_transport_is_right(frame.data(), &headers));
    frame.back() ^= 1;
    EXPECT_FALSE(checksum_transport_is_right(frame.data(), &headers));
}

INSTANTIATE_TEST_SUITE_P(
    All, HeadersTest,
    testing::Values(Frame{.data = pattern(33)}, Frame{.ip = Ip::kV6, .data = pattern(33)},
                    Frame{.protocol = kUdp, .data = pattern(32)},
                    Frame{.ip = Ip::kV6, .protocol = kUdp, .tagged = true, .data = pattern(7)},
                    Frame{.tagged = true, .data = pattern(1)}));

TEST(HeadersTest, AFragmentHasNoTransportHeader) {
    Bytes frame = Frame{.data = pattern(40)}.bytes();
    frame[kEthernetHeader + 6] = 0x20;  // more to come
    const Headers headers = parsed(frame);
    EXPECT_TRUE(headers.fragment);
    EXPECT_EQ(headers.transport, 0U);
}

// RFC 1071, section 3.
TEST(HeadersTest, TheSumIsThatOfTheExample) {
    const Bytes bytes = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum_fold(checksum_add(0, bytes.data(), bytes.size())), 0xddf2);
}

TEST(HeadersTest, AChecksumOfUdpIsNever0) {
    Bytes frame = Frame{.protocol = kUdp, .data = Bytes(2)}.bytes();
    const Headers headers = parsed(frame);
    checksum_transport(frame.data(), &headers);
    // With its complement as data, the sum is all ones, whose complement is 0.
    put16(frame, frame.size() - 2, get16(frame, headers.transport + 6));
    checksum_transport(frame.data(), &headers);
    EXPECT_EQ(get16(frame, headers.transport + 6), 0xffffU);
    EXPECT_TRUE(checksum_transport_is_right(frame.data(), &headers));
}

TEST(HeadersTest, UdpMayHaveNoChecksumWithIpv4) {
    const Bytes four = Frame{.protocol = kUdp, .data = pattern(4)}.bytes();
    const Headers headers = parsed(four);
    EXPECT_TRUE(checksum_transport_is_right(four.data(), &headers));
    const Bytes six = Frame{.ip = Ip::kV6, .protocol = kUdp, .data = pattern(4)}.bytes();
    const Headers others = parsed(six);
    EXPECT_FALSE(checksum_transport_is_right(six.data(), &others));
}

}  // namespace
}  // namespace vrdma::frames
