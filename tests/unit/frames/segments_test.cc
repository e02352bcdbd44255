// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "connectx/frames/segments.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "frames.h"

namespace vrdma::frames {
namespace {

constexpr Checksums kBoth = {true, true};

void keep(void* opaque, const uint8_t* frame, size_t size) {
    static_cast<std::vector<Bytes>*>(opaque)->emplace_back(frame, frame + size);
}

// The segments of a message; none if it is refused.
std::vector<Bytes> cut(const Frame& frame, unsigned most, Checksums checksums = kBoth) {
    std::vector<Bytes> segments;
    Bytes bytes = frame.bytes();
    const bool good = segments_send(bytes.data(), frame.header_bytes(), bytes.size(), most,
                                    checksums, keep, &segments);
    EXPECT_EQ(good, !segments.empty());
    return segments;
}

class SegmentsTest : public testing::TestWithParam<Frame> {
  protected:
    static constexpr unsigned kMost = 1000;
    const Frame& frame_ = GetParam();
};

TEST_P(SegmentsTest, TheDataAreThoseOfTheMessage) {
    Bytes data;
    for (const Bytes& segment : cut(frame_, kMost)) {
        EXPECT_LE(segment.size(), frame_.header_bytes() + kMost);
        data.insert(data.end(), segment.begin() + static_cast<ptrdiff_t>(frame_.header_bytes()),
                    segment.end());
    }
    EXPECT_EQ(data, frame_.data);
}

TEST_P(SegmentsTest, EachSegmentIsAPacketOfItsOwn) {
    size_t number = 0;
    for (const Bytes& segment : cut(frame_, kMost)) {
        Headers headers{};
        ASSERT_TRUE(headers_parse(segment.data(), segment.size(), &headers));
        EXPECT_EQ(headers.end, segment.size());
        EXPECT_EQ(headers.transport, frame_.transport());
        EXPECT_TRUE(checksum_network_is_right(segment.data(), &headers));
        EXPECT_TRUE(checksum_transport_is_right(segment.data(), &headers));
        EXPECT_EQ(get32(segment, headers.transport + 4), 0xfff0 + number * kMost);
        if (frame_.ip == Ip::kV4) {
            EXPECT_EQ(get16(segment, headers.network + 4), (0xffff + number) & 0xffff);
        }
        number++;
    }
    EXPECT_EQ(number, 3U);
}

// RFC 9293, 3.1, and RFC 3168, 6.1.2.
TEST_P(SegmentsTest, FlagsOfAnEndAreInOneSegment) {
    std::vector<int> flags;
    for (const Bytes& segment : cut(frame_, kMost)) {
        flags.push_back(segment[frame_.transport() + 13]);
    }
    EXPECT_EQ(flags, (std::vector<int>{0x90, 0x10, 0x19}));
}

INSTANTIATE_TEST_SUITE_P(All, SegmentsTest,
                         testing::Values(Frame{.data = pattern(2100)},
                                         Frame{.ip = Ip::kV6, .data = pattern(3000)},
                                         Frame{.tagged = true, .data = pattern(2001)}));

TEST(SegmentsTest, ChecksumsThatAreNotAskedForStay) {
    for (const Bytes& segment : cut(Frame{.data = pattern(2100)}, 1000, {false, false})) {
        EXPECT_EQ(get16(segment, kEthernetHeader + 10), 0U);
        EXPECT_EQ(get16(segment, kEthernetHeader + 20 + 16), 0U);
    }
}

TEST(SegmentsTest, OnlyTcpIsCut) {
    EXPECT_TRUE(cut(Frame{.protocol = kUdp, .data = pattern(2100)}, 1000).empty());
    EXPECT_TRUE(cut(Frame{.data = pattern(2100)}, 0).empty());
}

TEST(SegmentsTest, HeadersThatAreCutAreRefused) {
    const Frame frame{.data = pattern(2100)};
    for (size_t header_bytes = 0; header_bytes < frame.header_bytes(); header_bytes++) {
        std::vector<Bytes> segments;
        Bytes bytes = frame.bytes();
        EXPECT_FALSE(
            segments_send(bytes.data(), header_bytes, bytes.size(), 1000, kBoth, keep, &segments));
        EXPECT_TRUE(segments.empty());
    }
}

TEST(SegmentsTest, AFrameIsSentAsItIsButForItsChecksums) {
    std::vector<Bytes> sent;
    const Frame frame{.data = pattern(100)};
    Bytes bytes = frame.bytes();
    frame_send(bytes.data(), bytes.size(), kBoth, keep, &sent);
    ASSERT_EQ(sent.size(), 1U);
    Headers headers{};
    ASSERT_TRUE(headers_parse(sent[0].data(), sent[0].size(), &headers));
    EXPECT_TRUE(checksum_transport_is_right(sent[0].data(), &headers));
    put16(sent[0], headers.network + 10, 0);
    put16(sent[0], headers.transport + 16, 0);
    EXPECT_EQ(sent[0], frame.bytes());
}

}  // namespace
}  // namespace vrdma::frames
