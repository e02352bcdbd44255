// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Mistakes of earlier paravirtual RDMA devices, tried on this device.  The CVEs are those of
// QEMU's pvrdma.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "command_fixture.h"

namespace vrdma::device {
namespace {

using HostileGuestTest = CommandTest;

// CVE-2021-3582: an MR whose length its page directory does not cover.
TEST_F(HostileGuestTest, ARegionLongerThanItsRunsIsRefused) {
    const uint32_t context = uctx();
    const std::array<vrdma_run, 1> run{{{.gpa = htole64(kRam), .length = htole64(4096)}}};
    EXPECT_EQ(ask_bytes(reg_mr(context, pd(context), 8192, 1, run)).first, EINVAL);
    EXPECT_EQ(state_.mrs, 0);
}

// CVE-2021-3607, CVE-2018-20125: a count that overflows when it is multiplied by the size of
// what it counts.  0x10000001 runs of 16 bytes are 16 bytes in 32 bits.
TEST_F(HostileGuestTest, ACountThatOverflowsInBytesIsRefused) {
    budgets_->mr_runs.set_limit(UINT32_MAX);
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const std::array<vrdma_run, 1> run{{{.gpa = htole64(kRam), .length = htole64(4096)}}};
    for (const uint32_t count : {0x10000001U, 0x80000001U, UINT32_MAX}) {
        EXPECT_EQ(ask_bytes(reg_mr(context, my_pd, 4096, count, run)).first, EINVAL) << count;
    }
    EXPECT_EQ(ask_bytes(reg_mr(context, my_pd, 4096, 1, run)).first, 0);
}

// CVE-2021-3607: lengths whose sum wraps.
TEST_F(HostileGuestTest, RunsWhoseSumWrapsAreRefused) {
    const uint32_t context = uctx();
    const std::array<vrdma_run, 2> runs{{{.gpa = htole64(kRam), .length = htole64(4096)},
                                         {.gpa = htole64(kRam), .length = htole64(0) - 4096}}};
    EXPECT_EQ(ask_bytes(reg_mr(context, pd(context), 4096, 2, runs)).first, EINVAL);
    EXPECT_EQ(state_.mrs, 0);
}

// A run of 16 bytes in the request is as many pieces here as it spans regions of RAM.  The VMM
// makes these regions, and may make each a page long.
TEST_F(HostileGuestTest, RegionsThatAdjoinCountAsPieces) {
    constexpr uint64_t kPage = 4096;
    constexpr uint64_t kAdjoining = kRam + (uint64_t{1} << 30);
    constexpr uint64_t kMaxRuns = 16;
    constexpr uint64_t kRegions = kMaxRuns + 1;
    budgets_->mr_runs.set_limit(kMaxRuns);
    for (uint64_t i = 0; i < kRegions; ++i) {
        memory_.add_region(kAdjoining + i * kPage, kPage);
    }
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const auto register_pages = [&](uint64_t pages) {
        const std::array<vrdma_run, 1> run{
            {{.gpa = htole64(kAdjoining), .length = htole64(pages * kPage)}}};
        return ask_bytes(reg_mr(context, my_pd, pages * kPage, 1, run)).first;
    };
    EXPECT_EQ(register_pages(kRegions), ENOMEM);
    EXPECT_EQ(budgets_->mr_runs.times_reached(), 1U);
    EXPECT_EQ(budgets_->total_mr_runs.used(), 0U);
    // Each piece counts, where runs are limited over all memory regions.
    budgets_->total_mr_runs.set_limit(kMaxRuns + 1);
    EXPECT_EQ(register_pages(kMaxRuns), 0);
    EXPECT_EQ(budgets_->total_mr_runs.used(), kMaxRuns);
    EXPECT_EQ(register_pages(2), EDQUOT);
    EXPECT_EQ(register_pages(1), 0);
    EXPECT_EQ(state_.mrs, 2);
}

// CVE-2022-1050, CVE-2018-20191: commands before what they need is there.
TEST_F(HostileGuestTest, EveryCommandMayComeFirst) {
    for (uint32_t opcode = 0; opcode <= UINT16_MAX; opcode += opcode < 0x800 ? 1 : 251) {
        for (const size_t size : {16U, 24U, 32U, 40U, 56U, 60U, 64U, 128U}) {
            std::vector<std::byte> request(size);
            const vrdma_cmd_hdr header{.opcode = htole16(static_cast<uint16_t>(opcode)),
                                       .region_count = 0,
                                       .length = htole32(static_cast<uint32_t>(size)),
                                       .uctx = 0,
                                       .udata_in_len = 0,
                                       .udata_out_len = 0};
            std::memcpy(request.data(), &header, sizeof(header));
            if (opcode == VRDMA_CMD_ALLOC_UCONTEXT || opcode == VRDMA_CMD_QUERY_DEVICE ||
                opcode == VRDMA_CMD_QUERY_UDATA_POINTER) {
                continue;  // these may
            }
            EXPECT_NE(ask_bytes(request).first, 0) << opcode << ' ' << size;
        }
    }
    EXPECT_EQ(verbs_->counts().contexts, 0U);
}

// CVE-2021-3608, CVE-2018-20123, CVE-2018-20126: what an error path forgets, or frees though
// it was never made.
TEST_F(HostileGuestTest, ACreationThatTheRnicRefusesLeavesNothing) {
    const uint32_t context = uctx();
    const uint32_t my_pd = pd(context);
    const uint32_t my_cq = cq(context);
    const std::array<vrdma_run, 1> run{{{.gpa = htole64(kRam), .length = htole64(4096)}}};
    auto qp = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, context);
    qp.pd = htole32(my_pd);
    qp.send_cq = qp.recv_cq = htole32(my_cq);
    qp.srq = htole32(VRDMA_NO_HANDLE);
    auto srq = make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, context);
    srq.pd = htole32(my_pd);
    srq.max_wr = htole32(1);
    auto ah = make<vrdma_cmd_create_ah>(VRDMA_CMD_CREATE_AH, context);
    ah.pd = htole32(my_pd);
    ah.attr.port = 1;
    auto second_cq = make<vrdma_cmd_create_cq>(VRDMA_CMD_CREATE_CQ, context);
    second_cq.cqe = htole32(1);
    const auto second_pd = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, context);
    const auto mr = reg_mr(context, my_pd, 4096, 1, run);
    const std::vector<std::function<int()>> creations{
        [&] { return ask(qp).first; },        [&] { return ask(srq).first; },
        [&] { return ask(ah).first; },        [&] { return ask(second_cq).first; },
        [&] { return ask(second_pd).first; }, [&] { return ask_bytes(mr).first; },
    };
    for (const auto& create : creations) {
        state_.refuse = ENOMEM;
        EXPECT_EQ(create(), ENOMEM);
        EXPECT_FALSE(state_.refuse) << "the RNIC was asked";
    }
    const ObjectCounts counts = verbs_->counts();
    EXPECT_EQ(counts.registered_bytes, 0U);
    EXPECT_EQ(counts.memory_regions + counts.queue_pairs + counts.shared_receive_queues +
                  counts.address_handles,
              0U);
    // Nothing refers to these objects: a count left behind would be EBUSY.
    auto destroy_cq = make<vrdma_cmd_handle>(VRDMA_CMD_DESTROY_CQ, context);
    destroy_cq.handle = htole32(my_cq);
    EXPECT_EQ(ask(destroy_cq).first, 0);
    auto dealloc_pd = make<vrdma_cmd_handle>(VRDMA_CMD_DEALLOC_PD, context);
    dealloc_pd.handle = htole32(my_pd);
    EXPECT_EQ(ask(dealloc_pd).first, 0);
}

// CVE-2021-3608: an object freed twice, and one that never was.
TEST_F(HostileGuestTest, WhatIsGoneOrNeverWasCannotBeDestroyed) {
    const uint32_t context = uctx();
    auto request = make<vrdma_cmd_handle>(VRDMA_CMD_DESTROY_CQ, context);
    request.handle = htole32(cq(context));
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(ask(request).first, EINVAL);
    for (const uint32_t handle : {1U, 65536U, UINT32_MAX - 1, UINT32_MAX}) {
        request.handle = htole32(handle);
        EXPECT_EQ(ask(request).first, EINVAL) << handle;
    }
}

// An RNIC's own ECANCELED is an answer; only a wait for the VMM that was called off has the
// command executed again, which here would be for ever.
TEST_F(HostileGuestTest, AnRnicMayAnswerEcanceled) {
    const uint32_t context = uctx();
    state_.refuse = ECANCELED;
    EXPECT_EQ(ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_PD, context)).first, ECANCELED);
}

}  // namespace
}  // namespace vrdma::device
