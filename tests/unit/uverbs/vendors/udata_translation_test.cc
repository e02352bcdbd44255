// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/vendors/udata_translation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rdma/bnxt_re-abi.h>
#include <rdma/mlx5-abi.h>
#include <rdma/rdma_user_rxe.h>

#include <cstring>

#include "support/fake_memory.h"

namespace vrdma::uverbs {
namespace {

using testing::HasSubstr;

class UdataTranslationTest : public testing::Test {
  protected:
    Result<UdataTranslation> translate(const VendorEntry& vendor, uint16_t opcode) {
        udata = {.in = in, .out = out, .out_written = 0, .regions = regions};
        return UdataTranslation::make(vendor, opcode, udata, budget, refusal);
    }
    int error(const VendorEntry& vendor, uint16_t opcode) {
        auto translation = translate(vendor, opcode);
        return translation ? 0 : to_int(translation.error());
    }
    template <typename T>
    void send(const T& bytes) {
        in.resize(sizeof(T));
        std::memcpy(in.data(), &bytes, sizeof(T));
    }
    template <typename T>
    static T as(std::span<const std::byte> bytes) {
        T value;
        std::memcpy(&value, bytes.data(), sizeof(T));
        return value;
    }
    memory::PinnedRange pin(uint64_t address, uint64_t length) {
        return ram.as_guest_memory()->pin({address}, length).value();
    }

    test::FakeMemory ram{1 << 20, 0};
    std::vector<std::byte> in;
    std::vector<std::byte> out;
    std::vector<rnic::UdataRegion> regions;
    rnic::Udata udata;
    memory::MappingBudget budget;
    UdataTranslation::Refusal refusal;
};

TEST_F(UdataTranslationTest, PassesBytesWithoutPointersOnAsTheyAre) {
    in = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
          std::byte{5}, std::byte{6}, std::byte{7}, std::byte{8}};
    out.resize(8);
    auto translation = translate(kSiwEntry, VRDMA_CMD_REG_MR);
    ASSERT_TRUE(translation) << refusal.reason;
    const CommandUdata bytes = translation->command_udata();
    EXPECT_TRUE(std::ranges::equal(bytes.in, in));
    EXPECT_EQ(bytes.out.data(), out.data());
}

TEST_F(UdataTranslationTest, TellsHowMuchTheKernelWroteOnceItHasAnswered) {
    out.resize(16);
    auto translation = translate(kRxeEntry, VRDMA_CMD_CREATE_CQ);
    ASSERT_TRUE(translation);
    EXPECT_EQ(udata.out_written, 0u);
    translation->answered();
    EXPECT_EQ(udata.out_written, 16u);
}

TEST_F(UdataTranslationTest, RefusesLengthsThatTheTableDoesNotHave) {
    in.resize(4);
    out.resize(8);
    EXPECT_EQ(error(kSiwEntry, VRDMA_CMD_REG_MR), EINVAL) << "shorter";
    EXPECT_THAT(refusal.reason, HasSubstr("sends 4 private bytes"));
    in.resize(12);
    EXPECT_EQ(error(kSiwEntry, VRDMA_CMD_REG_MR), EINVAL) << "longer";
    in.resize(8);
    out.resize(12);
    EXPECT_EQ(error(kSiwEntry, VRDMA_CMD_REG_MR), EINVAL) << "more room for the answer";
    in.resize(4);
    out.resize(0);
    EXPECT_EQ(error(kSiwEntry, VRDMA_CMD_ALLOC_PD), EINVAL) << "a verb that has none";
}

TEST_F(UdataTranslationTest, RefusesPartsOfWords) {
    out.resize(14);
    EXPECT_EQ(error(kRxeEntry, VRDMA_CMD_CREATE_CQ), EINVAL);
}

TEST_F(UdataTranslationTest, PutsAnAddressOfThisProcessInAPointersPlace) {
    send(rxe_modify_srq_cmd{.mmap_info_addr = 0x7fff0000'0123});
    regions.push_back({.offset = 0, .length = 16, .pieces = {pin(0x5123, 16)}});
    auto translation = translate(kRxeEntry, VRDMA_CMD_MODIFY_SRQ);
    ASSERT_TRUE(translation) << refusal.reason;
    const auto sent = as<rxe_modify_srq_cmd>(translation->command_udata().in);
    EXPECT_EQ(reinterpret_cast<std::byte*>(sent.mmap_info_addr), regions[0].pieces[0].range.data);
    EXPECT_EQ(as<rxe_modify_srq_cmd>(in).mmap_info_addr, 0x7fff0000'0123u) << "the guest's bytes";
}

TEST_F(UdataTranslationTest, LaysScatteredMemoryBehindAPointerOut) {
    mlx5_ib_create_cq command{};
    command.buf_addr = 0x10'0000'0000;
    command.cqe_size = 64;
    send(command);
    std::memset(ram.host(0x8000), 0xaa, 4096);
    std::memset(ram.host(0x4000), 0xbb, 4096);
    regions.push_back(
        {.offset = 0, .length = 8192, .pieces = {pin(0x8000, 4096), pin(0x4000, 4096)}});
    out.resize(8);
    auto translation = translate(kMlx5Entry, VRDMA_CMD_CREATE_CQ);
    ASSERT_TRUE(translation) << refusal.reason;
    const auto sent = as<mlx5_ib_create_cq>(translation->command_udata().in);
    const auto* data = reinterpret_cast<const std::byte*>(sent.buf_addr);
    EXPECT_EQ(data[4095], std::byte{0xaa});
    EXPECT_EQ(data[4096], std::byte{0xbb});
}

TEST_F(UdataTranslationTest, APointerIntoWholePagesKeepsItsPlaceInThePage) {
    mlx5_ib_create_cq command{};
    command.db_addr = 0x10'0000'0840;
    command.cqe_size = 64;
    send(command);
    regions.push_back({.offset = offsetof(mlx5_ib_create_cq, db_addr),
                       .length = 4096,
                       .pieces = {pin(0x7000, 4096)}});
    out.resize(8);
    auto translation = translate(kMlx5Entry, VRDMA_CMD_CREATE_CQ);
    ASSERT_TRUE(translation) << refusal.reason;
    const auto sent = as<mlx5_ib_create_cq>(translation->command_udata().in);
    EXPECT_EQ(reinterpret_cast<std::byte*>(sent.db_addr), regions[0].pieces[0].range.data + 0x840);
}

TEST_F(UdataTranslationTest, ANullPointerStaysOne) {
    send(rxe_modify_srq_cmd{.mmap_info_addr = 0});
    auto translation = translate(kRxeEntry, VRDMA_CMD_MODIFY_SRQ);
    ASSERT_TRUE(translation) << refusal.reason;
    EXPECT_EQ(as<rxe_modify_srq_cmd>(translation->command_udata().in).mmap_info_addr, 0u);
}

TEST_F(UdataTranslationTest, APointerWithoutMemoryIsABadAddress) {
    send(rxe_modify_srq_cmd{.mmap_info_addr = 0x1000});
    EXPECT_EQ(error(kRxeEntry, VRDMA_CMD_MODIFY_SRQ), EFAULT);
    regions.push_back({.offset = 8, .length = 16, .pieces = {pin(0x5000, 16)}});
    EXPECT_EQ(error(kRxeEntry, VRDMA_CMD_MODIFY_SRQ), EFAULT) << "memory of another pointer";
}

TEST_F(UdataTranslationTest, RefusesWhatTheLibraryTriesAndCanDoWithout) {
    mlx5_ib_alloc_ucontext_req_v2 request{};
    request.flags = MLX5_IB_ALLOC_UCTX_DEVX;
    send(request);
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_ALLOC_UCONTEXT), EOPNOTSUPP);
    EXPECT_TRUE(refusal.expected);
}

TEST_F(UdataTranslationTest, RefusesAQueueOnADoorbellPageOfTheGuestsChoice) {
    mlx5_ib_create_qp qp{};
    qp.flags = MLX5_QP_FLAG_UAR_PAGE_INDEX | MLX5_QP_FLAG_SIGNATURE;
    send(qp);
    out.resize(sizeof(mlx5_ib_create_qp_resp));
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_CREATE_QP), EOPNOTSUPP);
    EXPECT_FALSE(refusal.expected);
    mlx5_ib_create_cq cq{};
    cq.flags = MLX5_IB_CREATE_CQ_FLAGS_UAR_PAGE_INDEX;
    send(cq);
    out.resize(sizeof(mlx5_ib_create_cq_resp));
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_CREATE_CQ), EOPNOTSUPP);
    cq.flags = MLX5_IB_CREATE_CQ_FLAGS_CQE_128B_PAD;
    send(cq);
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_CREATE_CQ), 0) << refusal.reason;
}

TEST_F(UdataTranslationTest, ClearsWhatTheLibraryLearnsFromTheAnswer) {
    mlx5_ib_alloc_ucontext_req_v2 request{};
    request.total_num_bfregs = 16;
    request.lib_caps = MLX5_LIB_CAP_4K_UAR | MLX5_LIB_CAP_DYN_UAR;
    send(request);
    auto translation = translate(kMlx5Entry, VRDMA_CMD_ALLOC_UCONTEXT);
    ASSERT_TRUE(translation) << refusal.reason;
    const auto sent = as<mlx5_ib_alloc_ucontext_req_v2>(translation->command_udata().in);
    EXPECT_EQ(sent.lib_caps, uint64_t{MLX5_LIB_CAP_4K_UAR});
    EXPECT_EQ(sent.total_num_bfregs, 16u);
}

// Queue sizes other than the formulas', and ioctls of the library's own.
TEST_F(UdataTranslationTest, HidesInTheAnswerWhatLeadsTheLibraryToWhatItDoesNotGet) {
    send(uint64_t{0x7});  // struct bnxt_re_uctx_req of newer headers
    bnxt_re_uctx_resp answer{};
    answer.comp_mask = 0xff;
    answer.max_cqd = 7;
    out.resize(sizeof(answer));
    auto translation = translate(kBnxtReEntry, VRDMA_CMD_ALLOC_UCONTEXT);
    ASSERT_TRUE(translation) << refusal.reason;
    EXPECT_EQ(as<uint64_t>(translation->command_udata().in), 0x4u) << "what else it asks for";
    std::memcpy(out.data(), &answer, sizeof(answer));
    translation->answered();
    const auto seen = as<bnxt_re_uctx_resp>(out);
    EXPECT_EQ(seen.comp_mask, 0xf3u) << "no push pages, no pacing";
    EXPECT_EQ(seen.max_cqd, 7u);
}

TEST_F(UdataTranslationTest, AnAnswerThatEndsBeforeAHiddenFieldStaysAsItIs) {
    in.resize(16);  // cq_va of 0: no pointer
    out.assign(16, std::byte{0xff});
    auto translation = translate(kBnxtReEntry, VRDMA_CMD_CREATE_CQ);
    ASSERT_TRUE(translation) << refusal.reason;
    translation->answered();
    EXPECT_EQ(out, std::vector<std::byte>(16, std::byte{0xff}));
}

TEST_F(UdataTranslationTest, AnOlderLibrarysBytesMayEndBeforeAWithheldField) {
    send(mlx5_ib_alloc_ucontext_req{.total_num_bfregs = 16, .num_low_latency_bfregs = 4});
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_ALLOC_UCONTEXT), 0) << refusal.reason;
}

// The kernel copies what there is, and has zeros for the rest.
TEST_F(UdataTranslationTest, RefusesBytesThatEndWithinAFieldThatItLooksAt) {
    mlx5_ib_alloc_ucontext_req_v2 request{};
    request.lib_caps = MLX5_LIB_CAP_DYN_UAR;
    send(request);
    in.resize(offsetof(mlx5_ib_alloc_ucontext_req_v2, lib_caps) + 4);
    EXPECT_EQ(error(kMlx5Entry, VRDMA_CMD_ALLOC_UCONTEXT), EINVAL);
    EXPECT_THAT(refusal.reason, HasSubstr("end within the field at byte 24"));

    static constexpr UdataLengths kAnyLength{
        .opcode = VRDMA_CMD_MODIFY_SRQ, .in_min = 0, .in_max = 8, .out_max = 0};
    VendorEntry entry = kRxeEntry;
    entry.udata = std::span(&kAnyLength, 1);
    in.assign(4, std::byte{0x10});
    EXPECT_EQ(error(entry, VRDMA_CMD_MODIFY_SRQ), EINVAL) << "half a pointer";
}

}  // namespace
}  // namespace vrdma::uverbs
