// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include <gtest/gtest.h>
#include <vrdma_udata_memory.h>

#include <array>
#include <cstring>
#include <optional>

namespace {

struct Range {
    __u64 start;
    __u64 length;
    bool operator==(const Range&) const = default;
};

// Udata with a pointer in the first word and counts behind it.
class UdataMemoryTest : public testing::Test {
  protected:
    UdataMemoryTest() { pointer_.opcode = htole16(VRDMA_CMD_CREATE_CQ); }

    template <typename T>
    void put(size_t offset, T value) {
        std::memcpy(&udata_[offset], &value, sizeof(value));
    }

    int evaluate(size_t size = 64) {
        return vrdma_udata_memory(&pointer_, udata_.data(), size, &counts_, &range_.start,
                                  &range_.length);
    }

    // The memory that is there.
    Range memory() {
        EXPECT_EQ(evaluate(), 1);
        return range_;
    }

    std::array<uint8_t, 64> udata_{};
    vrdma_udata_pointer pointer_{};
    vrdma_udata_counts counts_{};
    Range range_{};
};

TEST_F(UdataMemoryTest, AConstantLengthBeginsAtThePointer) {
    put(0, uint64_t{0x12345678'9abcdef0});
    pointer_.length = htole64(16);
    EXPECT_EQ(memory(), (Range{0x12345678'9abcdef0, 16}));
}

TEST_F(UdataMemoryTest, AZeroPointerHasNoMemory) {
    pointer_.length = htole64(16);
    EXPECT_EQ(evaluate(), 0);
}

TEST_F(UdataMemoryTest, UdataThatEndBeforeThePointerHaveNone) {
    put(0, ~uint64_t{0} >> 1);
    pointer_.length = htole64(16);
    for (size_t size = 0; size < 8; ++size) {
        EXPECT_EQ(evaluate(size), 0) << size;
    }
    EXPECT_EQ(evaluate(8), 1);
    pointer_.offset = htole16(0xffff);
    EXPECT_EQ(evaluate(), 0);
}

TEST_F(UdataMemoryTest, WholePagesAreThoseThatTheBytesTouch) {
    pointer_.flags = htole32(VRDMA_UDATA_POINTER_PAGES);
    pointer_.length = htole64(8);
    put(0, uint64_t{0x10008});
    EXPECT_EQ(memory(), (Range{0x10000, 4096}));
    put(0, uint64_t{0x10ff8});
    EXPECT_EQ(memory(), (Range{0x10000, 4096}));
    put(0, uint64_t{0x10ff9});
    EXPECT_EQ(memory(), (Range{0x10000, 8192}));
}

TEST_F(UdataMemoryTest, MemoryThatWrapsIsInvalid) {
    pointer_.length = htole64(16);
    put(0, UINT64_MAX - 15);
    EXPECT_EQ(evaluate(), 1);
    put(0, UINT64_MAX - 14);
    EXPECT_EQ(evaluate(), -1);
    pointer_.flags = htole32(VRDMA_UDATA_POINTER_PAGES);
    put(0, UINT64_MAX - 15);
    EXPECT_EQ(evaluate(), -1) << "the last page ends at 2^64";
    put(0, UINT64_MAX - 4096 - 15);
    EXPECT_EQ(memory(), (Range{UINT64_MAX - 8191, 4096}));
}

TEST_F(UdataMemoryTest, ALengthOfZeroIsInvalid) {
    put(0, uint64_t{0x10000});
    EXPECT_EQ(evaluate(), -1);
}

// mlx5's CQ: the entries and one more, up to a power of two, of the size in udata.
TEST_F(UdataMemoryTest, ACqIsItsRoundedEntriesTimesTheirSize) {
    put(0, uint64_t{0x10000});
    put(16, uint32_t{64});
    pointer_.terms[0] = {.count = VRDMA_COUNT_CQE | VRDMA_COUNT_ROUND,
                         .scale = VRDMA_SCALE_UDATA,
                         .count_offset = 0,
                         .scale_offset = htole16(16),
                         .reserved = 0,
                         .scale_a = 0,
                         .scale_b = 0};
    counts_.cqe = 127;
    EXPECT_EQ(memory().length, 128U * 64);
    counts_.cqe = 128;
    EXPECT_EQ(memory().length, 256U * 64);
    counts_.cqe = 0;
    EXPECT_EQ(memory().length, 64U);
}

// mlx5's QP: a receive queue, count and shift in udata, and a send queue of 64-byte units.
TEST_F(UdataMemoryTest, AQpIsItsTwoQueues) {
    put(0, uint64_t{0x10000});
    put(16, uint32_t{32});  // send queue
    put(20, uint32_t{10});  // receive queue
    put(24, uint32_t{5});
    pointer_.terms[0] = {.count = VRDMA_COUNT_UDATA,
                         .scale = VRDMA_SCALE_CONSTANT,
                         .count_offset = htole16(16),
                         .scale_offset = 0,
                         .reserved = 0,
                         .scale_a = htole32(64),
                         .scale_b = 0};
    pointer_.terms[1] = {.count = VRDMA_COUNT_UDATA,
                         .scale = VRDMA_SCALE_UDATA_SHIFT,
                         .count_offset = htole16(20),
                         .scale_offset = htole16(24),
                         .reserved = 0,
                         .scale_a = 0,
                         .scale_b = 0};
    EXPECT_EQ(memory().length, 32U * 64 + (10U << 5));
    put(24, uint32_t{32});
    EXPECT_EQ(evaluate(), -1) << "no such shift";
}

// mlx5's SRQ: a head and the elements of each entry, up to a power of two.
TEST_F(UdataMemoryTest, AnSrqIsItsRoundedEntriesTimesTheirRoundedSize) {
    put(0, uint64_t{0x10000});
    pointer_.terms[0] = {.count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND,
                         .scale = VRDMA_SCALE_MAX_SGE,
                         .count_offset = 0,
                         .scale_offset = 0,
                         .reserved = 0,
                         .scale_a = htole32(16),
                         .scale_b = htole32(16)};
    counts_.max_wr = 100;
    counts_.max_sge = 2;
    EXPECT_EQ(memory().length, 128U * 64);
}

// mlx4's QP: a send queue whose count and stride are logarithms of one byte, and a receive queue.
TEST_F(UdataMemoryTest, LogarithmsOfOneByteAreCountAndScale) {
    put(0, uint64_t{0x10000});
    put(16, uint8_t{7});
    put(17, uint8_t{6});
    pointer_.terms[0] = {.count = VRDMA_COUNT_UDATA_LOG,
                         .scale = VRDMA_SCALE_UDATA_LOG,
                         .count_offset = htole16(16),
                         .scale_offset = htole16(17),
                         .reserved = 0,
                         .scale_a = 0,
                         .scale_b = 0};
    pointer_.terms[1] = {.count = VRDMA_COUNT_MAX_WR | VRDMA_COUNT_ROUND_UP,
                         .scale = VRDMA_SCALE_MAX_SGE,
                         .count_offset = 0,
                         .scale_offset = 0,
                         .reserved = 0,
                         .scale_a = 0,
                         .scale_b = htole32(16)};
    EXPECT_EQ(memory().length, 128U * 64) << "none is not rounded up";
    counts_.max_wr = 64;
    counts_.max_sge = 3;
    EXPECT_EQ(memory().length, 128U * 64 + 64 * 64) << "a power of two is not rounded up";
    counts_.max_wr = 65;
    EXPECT_EQ(memory().length, 128U * 64 + 128 * 64);
    put(16, uint8_t{32});
    EXPECT_EQ(evaluate(), -1) << "no such count";
    put(16, uint8_t{7});
    put(17, uint8_t{0xff});
    EXPECT_EQ(evaluate(), -1) << "no such scale";
    pointer_.terms[0].count_offset = htole16(64);
    EXPECT_EQ(evaluate(), -1) << "behind the end";
}

// bnxt_re's send queue: the requests, 128 that are reserved, and one more.
TEST_F(UdataMemoryTest, WhatIsAddedToACountIsAddedBeforeItIsRounded) {
    put(0, uint64_t{0x10800});
    pointer_.terms[0] = {.count = VRDMA_COUNT_MAX_SEND_WR | VRDMA_COUNT_ROUND,
                         .scale = VRDMA_SCALE_CONSTANT,
                         .count_offset = htole16(128),
                         .scale_offset = 0,
                         .reserved = 0,
                         .scale_a = htole32(144),
                         .scale_b = 0};
    counts_.max_send_wr = 127;
    EXPECT_EQ(memory().length, 256U * 144);
    counts_.max_send_wr = 128;
    EXPECT_EQ(memory().length, 512U * 144);
    counts_.max_send_wr = UINT32_MAX;
    EXPECT_EQ(evaluate(), -1) << "too large";
    counts_.max_send_wr = 0;
    pointer_.terms[0].scale_a = htole32(16);
    pointer_.flags = htole32(VRDMA_UDATA_POINTER_ROUND);
    EXPECT_EQ(memory(), (Range{0x10800, 4096}));
    pointer_.terms[0].scale_a = htole32(17);
    EXPECT_EQ(memory(), (Range{0x10800, 8192}));
}

TEST_F(UdataMemoryTest, CountsBehindTheEndOfUdataAreInvalid) {
    put(0, uint64_t{0x10000});
    pointer_.terms[0].count = VRDMA_COUNT_UDATA;
    pointer_.terms[0].scale_a = htole32(1);
    for (const uint16_t offset : {61, 64, 0xfffc, 0xffff}) {
        pointer_.terms[0].count_offset = htole16(offset);
        EXPECT_EQ(evaluate(), -1) << offset;
    }
    pointer_.terms[0].count_offset = htole16(60);
    put(60, uint32_t{5});
    EXPECT_EQ(memory().length, 5U);
}

TEST_F(UdataMemoryTest, ProductsThatAreTooLargeAreInvalid) {
    put(0, uint64_t{0x10000});
    put(16, UINT32_MAX);
    pointer_.terms[0] = {.count = VRDMA_COUNT_UDATA,
                         .scale = VRDMA_SCALE_UDATA,
                         .count_offset = htole16(16),
                         .scale_offset = htole16(16),
                         .reserved = 0,
                         .scale_a = 0,
                         .scale_b = 0};
    EXPECT_EQ(evaluate(), -1);
    pointer_.terms[0].count = VRDMA_COUNT_UDATA | VRDMA_COUNT_ROUND;
    EXPECT_EQ(evaluate(), -1);
    pointer_.terms[0].count = VRDMA_COUNT_CQE;
    pointer_.terms[0].scale = VRDMA_SCALE_MAX_SGE;
    pointer_.terms[0].scale_a = pointer_.terms[0].scale_b = htole32(UINT32_MAX);
    counts_ = {
        .cqe = UINT32_MAX, .max_wr = UINT32_MAX, .max_sge = UINT32_MAX, .max_send_wr = UINT32_MAX};
    EXPECT_EQ(evaluate(), -1);
    pointer_.terms[0] = {};
    pointer_.length = htole64(UINT64_MAX);
    EXPECT_EQ(evaluate(), -1);
}

TEST_F(UdataMemoryTest, UnknownTermsAreInvalid) {
    put(0, uint64_t{0x10000});
    pointer_.length = htole64(16);
    EXPECT_TRUE(vrdma_udata_pointer_valid(&pointer_));
    for (const unsigned count : {6U, 0x7fU, 0x86U, 0xffU}) {
        pointer_.terms[1] = {};
        pointer_.terms[1].count = static_cast<uint8_t>(count);
        EXPECT_FALSE(vrdma_udata_pointer_valid(&pointer_)) << count;
        EXPECT_EQ(evaluate(), -1) << count;
    }
    pointer_.terms[1] = {};
    pointer_.terms[1].count = VRDMA_COUNT_CQE;
    pointer_.terms[1].scale = 5;
    EXPECT_FALSE(vrdma_udata_pointer_valid(&pointer_));
    EXPECT_EQ(evaluate(), -1);
}

TEST_F(UdataMemoryTest, OnlyVerbsWithUdataHavePointersAndOnlyObjectsKeepMemory) {
    pointer_.length = htole64(16);
    pointer_.flags = htole32(VRDMA_UDATA_POINTER_LASTING);
    EXPECT_TRUE(vrdma_udata_pointer_valid(&pointer_));
    pointer_.opcode = htole16(VRDMA_CMD_MODIFY_SRQ);
    EXPECT_FALSE(vrdma_udata_pointer_valid(&pointer_));
    pointer_.flags = 0;
    EXPECT_TRUE(vrdma_udata_pointer_valid(&pointer_));
    pointer_.opcode = htole16(VRDMA_CMD_DESTROY_CQ);
    EXPECT_FALSE(vrdma_udata_pointer_valid(&pointer_));
}

}  // namespace
