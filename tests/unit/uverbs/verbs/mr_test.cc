// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory regions, and memory behind pointers, as the kernel gets them.
#include <gmock/gmock.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_user_rxe.h>

#include "support/fake_memory.h"
#include "unit/uverbs/fixture.h"

namespace vrdma::uverbs {
namespace {

using testing::HasSubstr;

class UverbsMemory : public GuestTest {
  protected:
    void SetUp() override {
        GuestTest::SetUp();
        pd = make_pd();
    }

    std::vector<memory::PinnedRange> pin(const std::vector<std::pair<uint64_t, uint64_t>>& ranges) {
        std::vector<memory::PinnedRange> pieces;
        pieces.reserve(ranges.size());
        for (const auto& [address, length] : ranges) {
            pieces.push_back(ram.as_guest_memory()->pin({address}, length).value());
        }
        return pieces;
    }

    Result<std::unique_ptr<rnic::MemoryRegion>> reg_mr(
        uint64_t iova, const std::vector<std::pair<uint64_t, uint64_t>>& ranges,
        uint32_t access = IB_UVERBS_ACCESS_LOCAL_WRITE) {
        uint64_t length = 0;
        for (const auto& range : ranges) {
            length += range.second;
        }
        TestUdata none;
        auto udata = none.udata();
        return context->reg_mr(*pd,
                               {.start = {iova},
                                .iova = {iova},
                                .length = length,
                                .access = access,
                                .pieces = pin(ranges)},
                               udata);
    }

    // The commands by which the daemon finds out whether the driver has the verb.
    static constexpr size_t kProbes = 1;
    test::FakeMemory ram{1 << 20, 0};
    std::unique_ptr<rnic::ProtectionDomain> pd;
};

TEST_F(UverbsMemory, ARegionIsAddressedByTheGuestsVirtualAddress) {
    auto mr = reg_mr(0x5555'0000'0100, {{0x3100, 0x400}}, IB_UVERBS_ACCESS_REMOTE_READ);
    ASSERT_TRUE(mr);
    const auto request = kernel.last(IB_USER_VERBS_CMD_REG_MR).as<ib_uverbs_reg_mr>();
    EXPECT_EQ(request.hca_va, 0x5555'0000'0100u);
    EXPECT_EQ(request.length, 0x400u);
    EXPECT_EQ(request.access_flags, uint32_t{IB_UVERBS_ACCESS_REMOTE_READ});
    EXPECT_NE((*mr)->lkey(), (*mr)->rkey());
}

TEST_F(UverbsMemory, AScatteredRegionIsOneForTheKernel) {
    std::memset(ram.host(0x9800), 1, 0x800);
    std::memset(ram.host(0x2000), 2, 0x1000);
    std::memset(ram.host(0x5000), 3, 0x10);
    ASSERT_TRUE(reg_mr(0x7000'0800, {{0x9800, 0x800}, {0x2000, 0x1000}, {0x5000, 0x10}}));
    const auto bytes = kernel.pinned();
    ASSERT_EQ(bytes.size(), 0x1810u);
    EXPECT_EQ(bytes[0], std::byte{1});
    EXPECT_EQ(bytes[0x800], std::byte{2});
    EXPECT_EQ(bytes[0x1800], std::byte{3});
}

TEST_F(UverbsMemory, ARegionWhosePlaceInThePageIsAnotherReachesNoKernel) {
    auto mr = reg_mr(0x7000'0900, {{0x9800, 0x700}});
    ASSERT_FALSE(mr);
    EXPECT_EQ(mr.error(), Errno{EINVAL});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_REG_MR), 0u);
}

TEST_F(UverbsMemory, ARegionOfNoBytesIsOneForTheKernel) {
    TestUdata none;
    auto udata = none.udata();
    const auto mr = context->reg_mr(*pd,
                                    {.start = {0x7000'0164},
                                     .iova = {0x7000'0164},
                                     .length = 0,
                                     .access = 0,
                                     .pieces = pin({{0x9164, 1}})},
                                    udata);
    ASSERT_TRUE(mr);
    const auto request = kernel.last(IB_USER_VERBS_CMD_REG_MR).as<ib_uverbs_reg_mr>();
    EXPECT_EQ(request.length, 0u);
    EXPECT_EQ(request.start % 0x1000, 0x164u);
    EXPECT_EQ(request.hca_va, 0x7000'0164u);
}

TEST_F(UverbsMemory, OnDemandPagingIsNotForwarded) {
    auto mr = reg_mr(0x7000'0000, {{0x9000, 0x1000}}, IB_UVERBS_ACCESS_ON_DEMAND);
    ASSERT_FALSE(mr);
    EXPECT_EQ(mr.error(), Errno{EOPNOTSUPP});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_REG_MR), 0u);
}

TEST_F(UverbsMemory, MemoryThatTheKernelDoesNotPinIsTheOperatorsToAllow) {
    kernel.refuse(IB_USER_VERBS_CMD_REG_MR, ENOMEM);
    auto mr = reg_mr(0x7000'0000, {{0x9000, 0x1000}});
    ASSERT_FALSE(mr);
    EXPECT_EQ(mr.error(), Errno{ENOMEM});
    EXPECT_THAT(log.str(), HasSubstr("RLIMIT_MEMLOCK"));
}

TEST_F(UverbsMemory, ARegionIsRegisteredAgainOverOtherMemory) {
    std::memset(ram.host(0x9000), 7, 0x1000);
    std::memset(ram.host(0x2000), 8, 0x1000);
    auto mr = reg_mr(0x7000'0000, {{0x5000, 0x1000}}).value();
    rnic::Udata none;
    ASSERT_TRUE(mr->reregister({.translation = true, .pd = false, .access = false}, nullptr,
                               {.start = {0x8000'0000},
                                .iova = {0x8000'0000},
                                .length = 0x2000,
                                .access = 0,
                                .pieces = pin({{0x9000, 0x1000}, {0x2000, 0x1000}})},
                               none));
    const auto request = kernel.last(IB_USER_VERBS_CMD_REREG_MR).as<ib_uverbs_rereg_mr>();
    EXPECT_EQ(request.flags, uint32_t{IBV_REREG_MR_CHANGE_TRANSLATION});
    EXPECT_EQ(request.hca_va, 0x8000'0000u);
    ASSERT_EQ(kernel.pinned().size(), 0x2000u);
    EXPECT_EQ(kernel.pinned()[0x1000], std::byte{8});
    EXPECT_EQ(mr->lkey() & 0xff, 5u) << "the keys that the kernel gave now";
    EXPECT_EQ(mr->rkey() & 0xff, 6u);
}

TEST_F(UverbsMemory, ARegionMovesToAnotherDomain) {
    auto mr = reg_mr(0x7000'0000, {{0x5000, 0x1000}}).value();
    auto other = make_pd();
    rnic::Udata none;
    ASSERT_TRUE(mr->reregister({.translation = false, .pd = true, .access = true}, other.get(),
                               {.start = {},
                                .iova = {},
                                .length = 0,
                                .access = IB_UVERBS_ACCESS_REMOTE_READ,
                                .pieces = {}},
                               none));
    const auto request = kernel.last(IB_USER_VERBS_CMD_REREG_MR).as<ib_uverbs_rereg_mr>();
    EXPECT_EQ(request.access_flags, uint32_t{IB_UVERBS_ACCESS_REMOTE_READ});
    pd.reset();
    EXPECT_EQ(kernel.busy_destructions(), 0u) << "nothing is in the first domain any more";
}

TEST_F(UverbsMemory, OnDemandPagingIsNotForwardedByReregistrationEither) {
    auto mr = reg_mr(0x7000'0000, {{0x5000, 0x1000}}).value();
    rnic::Udata none;
    EXPECT_EQ(mr->reregister({.translation = false, .pd = false, .access = true}, nullptr,
                             {.start = {},
                              .iova = {},
                              .length = 0,
                              .access = IB_UVERBS_ACCESS_ON_DEMAND,
                              .pieces = {}},
                             none)
                  .error(),
              Errno{EOPNOTSUPP});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_REREG_MR), kProbes);
}

TEST_F(UverbsMemory, ARegionThatWindowsAreBoundToStays) {
    auto mr = reg_mr(0x7000'0000, {{0x5000, 0x1000}}).value();
    kernel.refuse(IB_USER_VERBS_CMD_DEREG_MR, EINVAL);
    EXPECT_EQ(mr->deregister().error(), Errno{EINVAL});
    EXPECT_EQ(kernel.live(Kind::kMr), 1u);
    EXPECT_TRUE(mr->deregister());
    EXPECT_EQ(kernel.live(Kind::kMr), 0u);
    mr.reset();
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_DEREG_MR), 2u) << "not once more";
}

TEST_F(UverbsMemory, AMemoryWindowHasTheRnicsKey) {
    rnic::Udata none;
    auto mw = context->alloc_mw(*pd, IBV_MW_TYPE_2, none).value();
    const auto request = kernel.last(IB_USER_VERBS_CMD_ALLOC_MW).as<ib_uverbs_alloc_mw>();
    EXPECT_EQ(request.mw_type, IBV_MW_TYPE_2);
    EXPECT_EQ(mw->rkey() & 0xff, 3u);
    EXPECT_EQ(kernel.live(Kind::kMw), 1u);
    mw.reset();
    EXPECT_EQ(kernel.live(Kind::kMw), 0u);
}

TEST_F(UverbsMemory, TheKernelAnswersIntoTheGuestsMemory) {
    auto srq = make_srq(*pd);
    TestUdata bytes(sizeof(rxe_modify_srq_cmd));
    const uint64_t guest_address = 0x7fff'0000'0120;
    std::memcpy(bytes.in.data(), &guest_address, sizeof(guest_address));
    std::vector<rnic::UdataRegion> regions{
        {.offset = 0, .length = 16, .pieces = pin({{0x4120, 16}})}};
    auto udata = bytes.udata();
    udata.regions = regions;
    ASSERT_TRUE(srq->modify(1, {.max_wr = 40, .max_sge = 0, .srq_limit = 0}, udata));
    EXPECT_EQ(*ram.host(0x4120), std::byte{0x5a});
    EXPECT_EQ(*ram.host(0x412f), std::byte{0x5a});
    EXPECT_EQ(*ram.host(0x4130), std::byte{0});
}

TEST_F(UverbsMemory, APointerWithoutMemoryReachesNoKernel) {
    auto srq = make_srq(*pd);
    TestUdata bytes(sizeof(rxe_modify_srq_cmd));
    bytes.in[0] = std::byte{1};
    auto udata = bytes.udata();
    EXPECT_EQ(srq->modify(1, {.max_wr = 40, .max_sge = 0, .srq_limit = 0}, udata).error(),
              Errno{EFAULT});
    EXPECT_EQ(kernel.count(IB_USER_VERBS_CMD_MODIFY_SRQ), 0u);
    EXPECT_THAT(log.str(), HasSubstr("alice"));
}

}  // namespace
}  // namespace vrdma::uverbs
