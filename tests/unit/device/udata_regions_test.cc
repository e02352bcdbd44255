// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// User pointers in udata: what a guest must bring along, and what it may try instead.
#include <gtest/gtest.h>

#include "command_fixture.h"

#include "support/page.h"

namespace vrdma::device {
namespace {

using test::kPage;

constexpr uint64_t kPointer = 0x7f00'0000'0230;

vrdma_udata_pointer pointer(uint16_t opcode, uint16_t offset, uint64_t length, uint32_t flags = 0) {
    vrdma_udata_pointer result{};
    result.opcode = htole16(opcode);
    result.offset = htole16(offset);
    result.length = htole64(length);
    result.flags = htole32(flags);
    return result;
}

struct Region {
    uint16_t offset;
    uint64_t length;
    std::vector<vrdma_run> runs;
};

// Udata of ALLOC_PD have a pointer to 16 bytes at 8; those of CREATE_CQ two, to a buffer of
// whole pages, 64 bytes for each entry, and to a record of 8 bytes; those of CREATE_QP one, to 64
// bytes for each send and 16 for each scatter element of each receive; those of RESIZE_CQ one, as
// the first of CREATE_CQ; those of shared receive queues of both kinds one, as that of CREATE_QP
// without the sends.
class UdataRegionsTest : public CommandTest {
  protected:
    UdataRegionsTest() {
        pointers_ = {
            pointer(VRDMA_CMD_ALLOC_PD, 8, 16),
            pointer(VRDMA_CMD_CREATE_CQ, 0, 0,
                    VRDMA_UDATA_POINTER_LASTING | VRDMA_UDATA_POINTER_PAGES),
            pointer(VRDMA_CMD_CREATE_CQ, 8, 8, VRDMA_UDATA_POINTER_LASTING),
            pointer(VRDMA_CMD_CREATE_QP, 0, 0, VRDMA_UDATA_POINTER_LASTING),
            pointer(VRDMA_CMD_RESIZE_CQ, 0, 0,
                    VRDMA_UDATA_POINTER_LASTING | VRDMA_UDATA_POINTER_PAGES),
            pointer(VRDMA_CMD_CREATE_SRQ, 0, 0, VRDMA_UDATA_POINTER_LASTING),
            pointer(VRDMA_CMD_CREATE_XRC_SRQ, 0, 0, VRDMA_UDATA_POINTER_LASTING),
        };
        for (const size_t buffer : {1, 4}) {
            pointers_[buffer].terms[0].count = VRDMA_COUNT_CQE;
            pointers_[buffer].terms[0].scale_a = htole32(64);
        }
        pointers_[3].terms[0].count = VRDMA_COUNT_MAX_SEND_WR;
        pointers_[3].terms[0].scale_a = htole32(64);
        pointers_[3].terms[1].count = VRDMA_COUNT_MAX_WR;
        pointers_[3].terms[1].scale = VRDMA_SCALE_MAX_SGE;
        pointers_[3].terms[1].scale_b = htole32(16);
        pointers_[5].terms[0] = pointers_[6].terms[0] = pointers_[3].terms[1];
        for (const auto& entry : pointers_) {
            EXPECT_TRUE(vrdma_udata_pointer_valid(&entry));
        }
        make_verbs(pointers_);
        uctx_ = uctx();
    }

    // The request with udata of two words, regions and their runs behind it.
    template <typename Request>
    std::vector<std::byte> with_regions(Request request, uint64_t first, uint64_t second,
                                        const std::vector<Region>& regions) {
        request.hdr.udata_in_len = htole16(16);
        request.hdr.region_count = htole16(static_cast<uint16_t>(regions.size()));
        std::vector<std::byte> bytes;
        const auto append = [&](const auto& value) {
            const auto raw = std::as_bytes(std::span(&value, 1));
            bytes.insert(bytes.end(), raw.begin(), raw.end());
        };
        append(request);
        append(htole64(first));
        append(htole64(second));
        for (const Region& region : regions) {
            append(
                vrdma_udata_region{.offset = htole16(region.offset),
                                   .reserved = 0,
                                   .run_count = htole32(static_cast<uint32_t>(region.runs.size())),
                                   .length = htole64(region.length)});
        }
        for (const Region& region : regions) {
            for (const vrdma_run& run : region.runs) {
                append(run);
            }
        }
        return bytes;
    }

    int alloc_pd(uint64_t value, const std::vector<Region>& regions) {
        return ask_bytes(with_regions(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx_), 0, value,
                                      regions))
            .first;
    }

    std::pair<int, uint32_t> create_cq(uint32_t cqe, uint64_t buffer, uint64_t record,
                                       const std::vector<Region>& regions) {
        auto request = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, uctx_);
        request.cqe = htole32(cqe);
        return ask_bytes(with_regions(request, buffer, record, regions));
    }

    int resize_cq(uint32_t handle, uint32_t cqe, uint64_t buffer,
                  const std::vector<Region>& regions) {
        auto request = make<vrdma_cmd_resize_cq>(VRDMA_CMD_RESIZE_CQ, uctx_);
        request.handle = htole32(handle);
        request.cqe = htole32(cqe);
        return ask_bytes(with_regions(request, buffer, 0, regions)).first;
    }

    int destroy_cq(uint32_t handle) {
        auto request = make<vrdma_cmd_handle>(VRDMA_CMD_DESTROY_CQ, uctx_);
        request.handle = htole32(handle);
        return ask(request).first;
    }

    static vrdma_run run(uint64_t offset, uint64_t length) {
        return {.gpa = htole64(kRam + offset), .length = htole64(length)};
    }

    // Whether `piece` is the guest's memory at `gpa`: what the guest writes there is seen.
    bool is_at(const memory::PinnedRange& piece, uint64_t gpa) {
        std::byte& byte = *memory_.host(gpa, 1);
        byte ^= std::byte{0x55};
        const bool first = *piece.range.data == byte;
        byte ^= std::byte{0xff};
        return first && *piece.range.data == byte;
    }

    std::vector<vrdma_udata_pointer> pointers_;
    uint32_t uctx_ = 0;
};

TEST_F(UdataRegionsTest, TheRnicGetsTheMemoryBehindThePointer) {
    ASSERT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 16)}}}), 0);
    ASSERT_EQ(state_.regions.size(), 1U);
    EXPECT_EQ(state_.regions[0].offset, 8);
    EXPECT_EQ(state_.regions[0].length, 16U);
    ASSERT_EQ(state_.regions[0].pieces.size(), 1U);
    EXPECT_TRUE(is_at(state_.regions[0].pieces[0], kRam + 0x5230));
    EXPECT_EQ(state_.udata_in.size(), 16U) << "and the udata as the guest wrote them";
}

TEST_F(UdataRegionsTest, MemoryMayComeInManyRuns) {
    const std::vector<Region> regions{
        {0, 2 * kPage, {run(7 * kPage, kPage), run(3 * kPage, kPage)}},
        {8, 8, {run(kPage + 0x40, 8)}},
    };
    ASSERT_EQ(create_cq(100, 0x7f00'0000'0000, 0x7f11'0000'0040, regions).first, 0);
    ASSERT_EQ(state_.regions.size(), 2U);
    ASSERT_EQ(state_.regions[0].pieces.size(), 2U);
    EXPECT_TRUE(is_at(state_.regions[0].pieces[0], kRam + 7 * kPage));
    EXPECT_TRUE(is_at(state_.regions[0].pieces[1], kRam + 3 * kPage));
    EXPECT_TRUE(is_at(state_.regions[1].pieces[0], kRam + kPage + 0x40));
}

TEST_F(UdataRegionsTest, AQueuePairsMemoryIsAsLongAsItsSizesSay) {
    auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx_);
    request.pd = htole32(pd(uctx_));
    const auto record = std::vector<Region>{{0, kPage, {run(kPage, kPage)}}};
    const auto cq = create_cq(64, kPage, 0, record);
    ASSERT_EQ(cq.first, 0);
    request.send_cq = request.recv_cq = htole32(cq.second);
    request.srq = htole32(VRDMA_NO_HANDLE);
    request.cap.max_send_wr = htole32(10);
    request.cap.max_recv_wr = htole32(5);
    request.cap.max_recv_sge = htole32(3);
    constexpr uint64_t kLength = 10 * 64 + 5 * 64;
    const auto create = [&](uint64_t length) {
        const std::vector<Region> regions{{0, length, {run(0, length)}}};
        return ask_bytes(with_regions(request, kPage, 0, regions)).first;
    };
    EXPECT_EQ(create(kLength - 1), EINVAL);
    EXPECT_EQ(create(kLength + 1), EINVAL);
    EXPECT_EQ(create(kLength), 0);
}

TEST_F(UdataRegionsTest, ASharedReceiveQueuesMemoryIsAsLongAsItsSizesSay) {
    auto basic = make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, uctx_);
    auto xrc = make<vrdma_cmd_create_xrc_srq>(VRDMA_CMD_CREATE_XRC_SRQ, uctx_);
    const auto cq = create_cq(64, kPage, 0, {{0, kPage, {run(kPage, kPage)}}});
    const auto xrcd = ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_XRCD, VRDMA_NO_HANDLE));
    ASSERT_EQ(cq.first, 0);
    ASSERT_EQ(xrcd.first, 0);
    basic.pd = xrc.pd = htole32(pd(uctx_));
    basic.max_wr = xrc.max_wr = htole32(5);
    basic.max_sge = xrc.max_sge = htole32(3);
    xrc.cq = htole32(cq.second);
    xrc.xrcd = htole32(xrcd.second);
    constexpr uint64_t kLength = uint64_t{5} * 64;
    const auto create = [&](const auto& request, uint64_t length) {
        return ask_bytes(with_regions(request, kPage, 0, {{0, length, {run(0, length)}}})).first;
    };
    EXPECT_EQ(create(basic, kLength - 1), EINVAL);
    EXPECT_EQ(create(basic, kLength), 0);
    EXPECT_EQ(create(xrc, kLength - 1), EINVAL);
    EXPECT_EQ(create(xrc, kLength), 0);
}

TEST_F(UdataRegionsTest, RegionsMayComeInAnyOrder) {
    const std::vector<Region> regions{
        {8, 8, {run(kPage, 8)}},
        {0, kPage, {run(0, kPage)}},
    };
    EXPECT_EQ(create_cq(1, 0x7f00'0000'0000, 0x7f11'0000'0000, regions).first, 0);
}

TEST_F(UdataRegionsTest, AZeroPointerHasNoRegion) {
    EXPECT_EQ(alloc_pd(0, {}), 0);
    EXPECT_EQ(alloc_pd(0, {{8, 16, {run(0x5230, 16)}}}), EINVAL);
}

TEST_F(UdataRegionsTest, UdataTooShortForThePointerHasNone) {
    EXPECT_EQ(ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx_)).first, 0);
}

TEST_F(UdataRegionsTest, APointerWithoutItsRegionFaultsAndDoesNotReachTheRnic) {
    const int before = state_.verbs_with_udata;
    EXPECT_EQ(alloc_pd(kPointer, {}), EFAULT);
    EXPECT_EQ(create_cq(1, 0x7f00'0000'0000, 0x7f11'0000'0000, {{0, kPage, {run(0, kPage)}}}).first,
              EFAULT);
    EXPECT_EQ(state_.verbs_with_udata, before);
}

TEST_F(UdataRegionsTest, ARegionThatNoPointerAsksForIsRefused) {
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 16)}}, {0, 16, {run(0x5230, 16)}}}), EINVAL);
    auto query = make<vrdma_cmd_empty>(VRDMA_CMD_QUERY_DEVICE);
    EXPECT_EQ(ask_bytes(with_regions(query, 0, kPointer, {{8, 16, {run(0x5230, 16)}}})).first,
              EINVAL);
}

TEST_F(UdataRegionsTest, TwoRegionsForOnePointerAreRefused) {
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 16)}}, {8, 16, {run(0x5230, 16)}}}), EINVAL);
}

TEST_F(UdataRegionsTest, ARegionHasTheLengthThatThePointerSays) {
    for (const uint64_t length : {uint64_t{0}, uint64_t{8}, uint64_t{17}, UINT64_MAX}) {
        EXPECT_EQ(alloc_pd(kPointer, {{8, length, {run(0x5230, length)}}}), EINVAL) << length;
    }
}

TEST_F(UdataRegionsTest, RunsMustSumUpToTheRegion) {
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {}}}), EINVAL);
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 8)}}}), EINVAL);
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 16), run(0, 16)}}}), EINVAL);
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 24), run(0, 0) /* wraps */}}}), EINVAL);
    EXPECT_EQ(state_.pds, 0);
}

TEST_F(UdataRegionsTest, RunsOutsideGuestMemoryFault) {
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(uint64_t{1} << 40 | 0x230, 16)}}}), EFAULT);
    EXPECT_EQ(state_.pds, 0);
}

// Its pages could not be put where the RNIC reads them by the pointer's low bits.
TEST_F(UdataRegionsTest, TheFirstRunBeginsWhereThePointerDoesInItsPage) {
    EXPECT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5238, 16)}}}), EINVAL);
}

TEST_F(UdataRegionsTest, RunsThatAreNotThereAreRefused) {
    auto bytes = with_regions(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx_), 0, kPointer,
                              {{8, 16, {run(0x5230, 16)}}});
    bytes.resize(bytes.size() - 1);
    EXPECT_EQ(ask_bytes(bytes).first, EINVAL);
    bytes.resize(sizeof(vrdma_cmd_empty) + 16 + sizeof(vrdma_udata_region) - 1);
    EXPECT_EQ(ask_bytes(bytes).first, EINVAL);
}

TEST_F(UdataRegionsTest, MoreRegionsThanACommandMayHaveAreRefused) {
    const std::vector<Region> regions(VRDMA_MAX_UDATA_REGIONS + 1, {8, 16, {run(0x5230, 16)}});
    EXPECT_EQ(alloc_pd(kPointer, regions), EINVAL);
}

// 4 counts of 2^32 - 1 are no more than 34 bits, and 16 times that no more than 38.
TEST_F(UdataRegionsTest, RunCountsThatSumUpToMuchAreRefused) {
    auto bytes = with_regions(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, uctx_), 0, kPointer,
                              {4, {8, 16, {run(0x5230, 16)}}});
    for (size_t i = 0; i < 4; ++i) {
        const uint32_t count = htole32(UINT32_MAX);
        std::memcpy(&bytes[sizeof(vrdma_cmd_empty) + 16 + i * sizeof(vrdma_udata_region) +
                           offsetof(vrdma_udata_region, run_count)],
                    &count, sizeof(count));
    }
    EXPECT_EQ(ask_bytes(bytes).first, ENOMEM);
}

// A range of whole pages that would end at 2^64 or beyond.
TEST_F(UdataRegionsTest, APointerWhoseMemoryWrapsIsInvalid) {
    EXPECT_EQ(create_cq(64, UINT64_MAX - 100, 0, {{0, kPage, {run(0xf9b, kPage)}}}).first, EINVAL);
    EXPECT_EQ(alloc_pd(UINT64_MAX - 7, {{8, 16, {run(0xff8, 16)}}}), EINVAL);
}

TEST_F(UdataRegionsTest, LastingMemoryCountsAgainstTheQuotaUntilTheObjectIsGone) {
    const std::vector<Region> regions{{0, kPage, {run(0, kPage)}}};
    const auto [status, handle] = create_cq(1, 0x7f00'0000'0000, 0, regions);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, kPage);
    EXPECT_EQ(destroy_cq(handle), 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);

    Limits limits;
    limits.registered_bytes = kPage;
    make_verbs(pointers_, limits);
    uctx_ = uctx();
    EXPECT_EQ(create_cq(1, 0x7f00'0000'0000, 0, regions).first, 0);
    EXPECT_EQ(create_cq(1, 0x7f00'0000'0000, 0, regions).first, EDQUOT);
}

// Only the RNIC's driver knows when it leaves a CQ's earlier memory, so the guest keeps it pinned.
TEST_F(UdataRegionsTest, TheMemoryOfAResizedCqCountsBesideTheEarlier) {
    const auto [error, cq] = create_cq(64, kPage, 0, {{0, kPage, {run(0, kPage)}}});
    ASSERT_EQ(error, 0);
    ASSERT_EQ(resize_cq(cq, 128, kPage, {{0, 2 * kPage, {run(2 * kPage, 2 * kPage)}}}), 0);
    EXPECT_EQ(state_.regions[0].length, 2 * kPage);
    EXPECT_EQ(verbs_->counts().registered_bytes, 3 * kPage);
    state_.refuse = ENOMEM;
    EXPECT_EQ(resize_cq(cq, 64, kPage, {{0, kPage, {run(0, kPage)}}}), ENOMEM);
    EXPECT_EQ(verbs_->counts().registered_bytes, 3 * kPage);
    EXPECT_EQ(resize_cq(cq, 64, kPage, {}), EFAULT) << "a pointer without memory";
    EXPECT_EQ(destroy_cq(cq), 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
}

TEST_F(UdataRegionsTest, MemoryOfOneVerbOnlyDoesNotCount) {
    ASSERT_EQ(alloc_pd(kPointer, {{8, 16, {run(0x5230, 16)}}}), 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
}

TEST_F(UdataRegionsTest, EndingTheContextFreesTheQuota) {
    ASSERT_EQ(create_cq(1, 0x7f00'0000'0000, 0, {{0, kPage, {run(0, kPage)}}}).first, 0);
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_DEALLOC_UCONTEXT);
    request.handle = htole32(uctx_);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
}

TEST_F(UdataRegionsTest, AMemoryRegionsOwnRunsFollowThoseOfItsPointers) {
    pointers_.push_back(pointer(VRDMA_CMD_REG_MR, 8, 16));
    make_verbs(pointers_);
    uctx_ = uctx();
    auto request = make<vrdma_cmd_reg_mr>(VRDMA_CMD_REG_MR, uctx_);
    request.pd = htole32(pd(uctx_));
    request.length = htole64(100);
    request.run_count = htole32(1);
    auto bytes = with_regions(request, 0, kPointer, {{8, 16, {run(0x5230, 16)}}});
    const vrdma_run own = run(0x9000, 100);
    const auto raw = std::as_bytes(std::span(&own, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    ASSERT_EQ(ask_bytes(bytes).first, 0);
    ASSERT_EQ(state_.mr.pieces.size(), 1U);
    EXPECT_TRUE(is_at(state_.mr.pieces[0], kRam + 0x9000));
    ASSERT_EQ(state_.regions.size(), 1U);
    EXPECT_EQ(verbs_->counts().registered_bytes, 100U);
}

TEST_F(UdataRegionsTest, TheDriverLearnsThePointersOneByOne) {
    for (uint32_t index = 0; index < pointers_.size(); ++index) {
        vrdma_cmd_query_udata_pointer request{.hdr = {}, .index = htole32(index), .reserved = 0};
        vrdma_rsp_query_udata_pointer response{};
        Call call;
        ASSERT_TRUE(verb::query_udata_pointer(*verbs_, call, request, response));
        EXPECT_EQ(le32toh(response.count), pointers_.size());
        EXPECT_EQ(std::memcmp(&response.pointer, &pointers_[index], sizeof(response.pointer)), 0);
    }
}

TEST_F(UdataRegionsTest, APointerBeyondTheLastIsEmpty) {
    const auto ask_for = [&](uint32_t index) {
        vrdma_cmd_query_udata_pointer request{.hdr = {}, .index = htole32(index), .reserved = 0};
        vrdma_rsp_query_udata_pointer response{};
        Call call;
        EXPECT_TRUE(verb::query_udata_pointer(*verbs_, call, request, response));
        return response;
    };
    const auto count = static_cast<uint32_t>(pointers_.size());
    EXPECT_EQ(le32toh(ask_for(count).count), count);
    EXPECT_EQ(ask_for(UINT32_MAX).pointer.opcode, 0);
}

}  // namespace
}  // namespace vrdma::device
