// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The verbs of the guest's kernel as commands.
#include "command_fixture.h"

namespace vrdma::device {
namespace {

class KernelVerbs : public CommandTest {
  protected:
    std::pair<int, uint32_t> get_dma_mr(uint32_t uctx, uint32_t pd) {
        auto request = make<vrdma_cmd_get_dma_mr>(VRDMA_CMD_GET_DMA_MR, uctx);
        request.pd = htole32(pd);
        request.access = htole32(1);
        request.base = htole64(0xffff888000000000);
        return ask(request);
    }
    static uint64_t description_size(uint32_t max_pages) {
        return sizeof(vrdma_fast_reg) + max_pages * sizeof(uint64_t);
    }
    int alloc_mr(uint32_t uctx, uint32_t pd, uint32_t max_pages,
                 const std::vector<vrdma_run>& runs) {
        auto request = make<vrdma_cmd_alloc_mr>(VRDMA_CMD_ALLOC_MR, uctx);
        request.pd = htole32(pd);
        request.max_pages = htole32(max_pages);
        request.run_count = htole32(static_cast<uint32_t>(runs.size()));
        const auto fixed = std::as_bytes(std::span(&request, 1));
        const auto list = std::as_bytes(std::span(runs));
        std::vector<std::byte> bytes(fixed.size() + list.size());
        std::ranges::copy(list, std::ranges::copy(fixed, bytes.begin()).out);
        return ask_bytes(bytes).first;
    }
    static vrdma_run run(uint64_t gpa, uint64_t length) {
        return {.gpa = htole64(gpa), .length = htole64(length)};
    }
};

TEST_F(KernelVerbs, GetDmaMrPassesBaseAndAccess) {
    const uint32_t context = uctx();
    EXPECT_EQ(get_dma_mr(context, pd(context)).first, 0);
    EXPECT_EQ(state_.dma_mr.base, 0xffff888000000000);
    EXPECT_EQ(state_.dma_mr.access, 1u);
}

TEST_F(KernelVerbs, GetDmaMrUsesItsProtectionDomainAndNoQuotaOfMemory) {
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    const uint32_t region = get_dma_mr(context, domain).second;
    EXPECT_EQ(verbs_->counts().registered_bytes, 0u);
    EXPECT_EQ(verbs_->counts().memory_regions, 1u);
    auto dealloc = make<vrdma_cmd_handle>(VRDMA_CMD_DEALLOC_PD, context);
    dealloc.handle = htole32(domain);
    EXPECT_EQ(ask(dealloc).first, EBUSY);
    auto dereg = make<vrdma_cmd_handle>(VRDMA_CMD_DEREG_MR, context);
    dereg.handle = htole32(region);
    EXPECT_EQ(ask(dereg).first, 0);
    EXPECT_EQ(ask(dealloc).first, 0);
}

TEST_F(KernelVerbs, GetDmaMrInAnothersProtectionDomainIsRefused) {
    const uint32_t domain = pd(uctx());
    EXPECT_EQ(get_dma_mr(uctx(), domain).first, EINVAL);
    EXPECT_EQ(state_.mrs, 0);
}

TEST_F(KernelVerbs, AllocMrGivesTheDescriptionToTheRnic) {
    const uint32_t context = uctx();
    EXPECT_EQ(alloc_mr(context, pd(context), 4,
                       {run(kRam + 0x100, 24), run(kRam + 0x1000, description_size(4) - 24)}),
              0);
    EXPECT_EQ(state_.fast_mr.max_pages, 4u);
    ASSERT_EQ(state_.fast_mr.description.size(), 2u);
    EXPECT_EQ(state_.fast_mr.description[0].range.size, 24u);
    EXPECT_EQ(verbs_->counts().registered_bytes, description_size(4));
}

TEST_F(KernelVerbs, AllocMrWithADescriptionOfAnotherLengthIsRefused) {
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    EXPECT_EQ(alloc_mr(context, domain, 4, {run(kRam, description_size(4) - 1)}), EINVAL);
    EXPECT_EQ(alloc_mr(context, domain, 4, {run(kRam, description_size(4) + 1)}), EINVAL);
    EXPECT_EQ(alloc_mr(context, domain, 4, {}), EINVAL);
    EXPECT_EQ(state_.mrs, 0);
}

TEST_F(KernelVerbs, AllocMrWithADescriptionOutsideOfMemoryIsRefused) {
    const uint32_t context = uctx();
    EXPECT_EQ(alloc_mr(context, pd(context), 4, {run(0, description_size(4))}), EFAULT);
    EXPECT_EQ(state_.mrs, 0);
}

TEST_F(KernelVerbs, AllocMrOfTooManyPagesIsRefused) {
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    const uint32_t most = FakeRnic().attributes().max_fast_reg_pages;
    EXPECT_EQ(alloc_mr(context, domain, most, {run(kRam, description_size(most))}), 0);
    EXPECT_EQ(alloc_mr(context, domain, most + 1, {run(kRam, description_size(most + 1))}), EINVAL);
    EXPECT_EQ(alloc_mr(context, domain, 0, {run(kRam, description_size(0))}), EINVAL);
}

}  // namespace
}  // namespace vrdma::device
