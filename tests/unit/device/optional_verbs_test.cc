// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Verbs that an RNIC need not have: REREG_MR, memory windows, RESIZE_CQ, multicast.
#include <gmock/gmock.h>

#include "command_fixture.h"

namespace vrdma::device {
namespace {

using testing::ElementsAre;

class OptionalVerbsTest : public CommandTest {
  protected:
    uint32_t qp(uint32_t uctx, uint32_t pd, uint32_t cq) {
        auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx);
        request.pd = htole32(pd);
        request.send_cq = request.recv_cq = htole32(cq);
        request.srq = htole32(VRDMA_NO_HANDLE);
        return ask(request).second;
    }
    uint32_t mr(uint32_t uctx, uint32_t pd, uint64_t length) {
        const vrdma_run run{.gpa = htole64(kRam), .length = htole64(length)};
        return ask_bytes(reg_mr(uctx, pd, length, 1, std::span(&run, 1))).second;
    }
    int release(uint16_t opcode, uint32_t uctx, uint32_t handle) {
        auto request = make<vrdma_cmd_handle>(opcode, uctx);
        request.handle = htole32(handle);
        return ask(request).first;
    }
    static vrdma_cmd_rereg_mr rereg(uint32_t uctx, uint32_t mr, uint32_t flags) {
        auto request = make<vrdma_cmd_rereg_mr>(VRDMA_CMD_REREG_MR, uctx);
        request.handle = htole32(mr);
        request.flags = htole32(flags);
        return request;
    }
    // Sends the request with a run of guest memory from `gpa`.
    int rereg_memory(vrdma_cmd_rereg_mr request, uint64_t gpa, uint64_t length) {
        request.length = htole64(length);
        request.run_count = htole32(1);
        const vrdma_run run{.gpa = htole64(gpa), .length = htole64(length)};
        const auto fixed = std::as_bytes(std::span(&request, 1));
        const auto list = std::as_bytes(std::span(&run, 1));
        std::vector<std::byte> bytes(fixed.begin(), fixed.end());
        bytes.insert(bytes.end(), list.begin(), list.end());
        return ask_bytes(bytes).first;
    }
    std::pair<int, uint32_t> try_mw(uint32_t uctx, uint32_t pd) {
        auto request = make<vrdma_cmd_alloc_mw>(VRDMA_CMD_ALLOC_MW, uctx);
        request.pd = htole32(pd);
        request.type = 2;
        return ask(request);
    }
    int mcast(uint16_t opcode, uint32_t uctx, uint32_t qp, uint8_t last_byte) {
        auto request = make<vrdma_cmd_mcast>(opcode, uctx);
        request.qp = htole32(qp);
        request.gid[0] = 0xff;
        request.gid[15] = last_byte;
        return ask(request).first;
    }
    int resize(uint32_t uctx, uint32_t cq, uint32_t cqe) {
        auto request = make<vrdma_cmd_resize_cq>(VRDMA_CMD_RESIZE_CQ, uctx);
        request.handle = htole32(cq);
        request.cqe = htole32(cqe);
        return ask(request).first;
    }
};

TEST_F(OptionalVerbsTest, ReregisteringMemoryBringsItsPiecesAndChangesTheQuota) {
    const uint32_t context = uctx();
    const uint32_t region = mr(context, pd(context), 0x1000);
    EXPECT_EQ(rereg_memory(rereg(context, region, VRDMA_REREG_TRANS), kRam + 0x2000, 0x3000), 0);
    EXPECT_TRUE(state_.mr_changes.translation);
    EXPECT_FALSE(state_.mr_changes.pd || state_.mr_changes.access);
    ASSERT_EQ(state_.mr.pieces.size(), 1U);
    EXPECT_EQ(state_.mr.pieces[0].range.size, 0x3000U);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0x3000U);
    EXPECT_EQ(release(VRDMA_CMD_DEREG_MR, context, region), 0);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0U);
}

TEST_F(OptionalVerbsTest, ReregisteringMayMoveARegionToAnotherDomain) {
    const uint32_t context = uctx();
    const uint32_t first = pd(context);
    const uint32_t second = pd(context);
    const uint32_t region = mr(context, first, 0x1000);
    auto request = rereg(context, region, VRDMA_REREG_PD);
    request.pd = htole32(second);
    EXPECT_EQ(ask(request).first, 0);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, second), EBUSY);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, first), 0);
}

TEST_F(OptionalVerbsTest, AFailedReregistrationChangesNothing) {
    const uint32_t context = uctx();
    const uint32_t first = pd(context);
    const uint32_t second = pd(context);
    const uint32_t region = mr(context, first, 0x1000);
    auto request = rereg(context, region, VRDMA_REREG_TRANS | VRDMA_REREG_PD);
    request.pd = htole32(second);
    state_.refuse = ENOMEM;
    EXPECT_EQ(rereg_memory(request, kRam, 0x2000), ENOMEM);
    EXPECT_EQ(rereg_memory(request, kRam - 1, 0x2000), EFAULT);
    EXPECT_EQ(verbs_->counts().registered_bytes, 0x1000U);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, first), EBUSY);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, second), 0);
}

TEST_F(OptionalVerbsTest, ReregisteringIsInvalidForAnotherContextsObjects) {
    const uint32_t mine = uctx();
    const uint32_t other = uctx();
    const uint32_t region = mr(mine, pd(mine), 0x1000);
    EXPECT_EQ(ask(rereg(other, region, VRDMA_REREG_ACCESS)).first, EINVAL);
    auto request = rereg(mine, region, VRDMA_REREG_PD);
    request.pd = htole32(pd(other));
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(OptionalVerbsTest, ReregisteringWithUnknownFlagsOrUncalledForRunsIsInvalid) {
    const uint32_t context = uctx();
    const uint32_t region = mr(context, pd(context), 0x1000);
    EXPECT_EQ(ask(rereg(context, region, 0)).first, EINVAL);
    EXPECT_EQ(ask(rereg(context, region, 8)).first, EINVAL);
    EXPECT_EQ(ask(rereg(context, region, VRDMA_REREG_TRANS)).first, EINVAL);
    EXPECT_EQ(rereg_memory(rereg(context, region, VRDMA_REREG_ACCESS), kRam, 0x1000), EINVAL);
}

TEST_F(OptionalVerbsTest, ARegionWithBoundWindowsStays) {
    const uint32_t context = uctx();
    const uint32_t region = mr(context, pd(context), 0x1000);
    state_.refuse_dereg = EBUSY;
    EXPECT_EQ(release(VRDMA_CMD_DEREG_MR, context, region), EBUSY);
    EXPECT_EQ(verbs_->counts().memory_regions, 1U);
    state_.refuse_dereg.reset();
    EXPECT_EQ(release(VRDMA_CMD_DEREG_MR, context, region), 0);
}

TEST_F(OptionalVerbsTest, AWindowKeepsItsDomain) {
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    const auto [status, window] = try_mw(context, domain);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(state_.mw_type, 2);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, domain), EBUSY);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_MW, context, window), 0);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_MW, context, window), EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_PD, context, domain), 0);
}

TEST_F(OptionalVerbsTest, AWindowIsItsContextsAndGoesWithItBeforeTheRegions) {
    const uint32_t mine = uctx();
    const uint32_t other = uctx();
    const uint32_t domain = pd(mine);
    mr(mine, domain, 0x1000);
    const uint32_t window = try_mw(mine, domain).second;
    EXPECT_EQ(try_mw(other, domain).first, EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_MW, other, window), EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_UCONTEXT, VRDMA_NO_HANDLE, mine), 0);
    EXPECT_THAT(state_.destroyed, ElementsAre("mw", "mr", "pd", "context"));
}

TEST_F(OptionalVerbsTest, WindowsHaveALimit) {
    make_verbs({}, Limits{.memory_windows = 1});
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    EXPECT_EQ(try_mw(context, domain).first, 0);
    EXPECT_EQ(try_mw(context, domain).first, EDQUOT);
}

TEST_F(OptionalVerbsTest, ResizingACqAnswersWithItsRealSize) {
    const uint32_t mine = uctx();
    const uint32_t queue = cq(mine);
    EXPECT_EQ(resize(mine, queue, 100), 0);
    EXPECT_EQ(resize(mine, queue, 0), EINVAL);
    EXPECT_EQ(resize(uctx(), queue, 100), EINVAL);
    state_.refuse = EINVAL;
    EXPECT_EQ(resize(mine, queue, 1), EINVAL);
}

TEST_F(OptionalVerbsTest, AnSrqWithoutRequestsIsTheRnicsToJudge) {
    const uint32_t context = uctx();
    auto request = make<vrdma_cmd_create_srq>(VRDMA_CMD_CREATE_SRQ, context);
    request.pd = htole32(pd(context));
    EXPECT_EQ(ask(request).first, 0);
    state_.refuse = EINVAL;
    EXPECT_EQ(ask(request).first, EINVAL);
    EXPECT_FALSE(state_.refuse) << "the RNIC was asked";
}

TEST_F(OptionalVerbsTest, AQueuePairIsAttachedToAGroupOnce) {
    const uint32_t context = uctx();
    const uint32_t pair = qp(context, pd(context), cq(context));
    EXPECT_EQ(mcast(VRDMA_CMD_DETACH_MCAST, context, pair, 1), EINVAL);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, pair, 1), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, pair, 1), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, pair, 2), 0);
    EXPECT_EQ(verbs_->counts().multicast_attachments, 2U);
    EXPECT_EQ(state_.groups.size(), 2U);
    EXPECT_EQ(mcast(VRDMA_CMD_DETACH_MCAST, context, pair, 1), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_DETACH_MCAST, context, pair, 1), EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_QP, context, pair), 0);
    EXPECT_EQ(verbs_->counts().multicast_attachments, 0U);
}

TEST_F(OptionalVerbsTest, AttachingIsForOnesOwnQueuePairsAndForMulticastGids) {
    const uint32_t mine = uctx();
    const uint32_t pair = qp(mine, pd(mine), cq(mine));
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, uctx(), pair, 1), EINVAL);
    auto request = make<vrdma_cmd_mcast>(VRDMA_CMD_ATTACH_MCAST, mine);
    request.qp = htole32(pair);
    request.gid[0] = 0xfe;
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(OptionalVerbsTest, AnIpv4MulticastAddressIsAGroupToo) {
    const uint32_t mine = uctx();
    auto request = make<vrdma_cmd_mcast>(VRDMA_CMD_ATTACH_MCAST, mine);
    request.qp = htole32(qp(mine, pd(mine), cq(mine)));
    request.gid[10] = request.gid[11] = 0xff;
    request.gid[12] = 239;
    EXPECT_EQ(ask(request).first, 0);
    request.gid[12] = 10;
    EXPECT_EQ(ask(request).first, EINVAL);
    request.gid[12] = 239;
    request.gid[0] = 1;
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(OptionalVerbsTest, AttachmentsHaveALimitOverAllQueuePairs) {
    make_verbs({}, Limits{.multicast_attachments = 2});
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    const uint32_t first = qp(context, domain, cq(context));
    const uint32_t second = qp(context, domain, cq(context));
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, first, 1), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, second, 1), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, second, 2), EDQUOT);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_QP, context, first), 0);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, second, 2), 0);
}

TEST_F(OptionalVerbsTest, WhatTheRnicHasNotIsNotSupported) {
    attributes_.has_mw = attributes_.has_rereg_mr = false;
    attributes_.has_resize_cq = attributes_.has_mcast = false;
    make_verbs();
    const uint32_t context = uctx();
    const uint32_t domain = pd(context);
    const uint32_t queue = cq(context);
    const uint32_t region = mr(context, domain, 0x1000);
    EXPECT_EQ(ask(rereg(context, region, VRDMA_REREG_ACCESS)).first, EOPNOTSUPP);
    EXPECT_EQ(try_mw(context, domain).first, EOPNOTSUPP);
    EXPECT_EQ(resize(context, queue, 100), EOPNOTSUPP);
    const uint32_t pair = qp(context, domain, queue);
    EXPECT_EQ(mcast(VRDMA_CMD_ATTACH_MCAST, context, pair, 1), EOPNOTSUPP);
}

// docs/spec.md, "Feature bits": this goes before the look whether there is such an object.
TEST_F(OptionalVerbsTest, WhatTheRnicHasNotCannotBeChangedOrReleasedEither) {
    attributes_.has_mw = attributes_.has_srq = attributes_.has_mcast = false;
    make_verbs();
    const uint32_t context = uctx();
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_MW, context, 0), EOPNOTSUPP);
    EXPECT_EQ(ask(make<vrdma_cmd_modify_srq>(VRDMA_CMD_MODIFY_SRQ, context)).first, EOPNOTSUPP);
    EXPECT_EQ(release(VRDMA_CMD_QUERY_SRQ, context, 0), EOPNOTSUPP);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_SRQ, context, 0), EOPNOTSUPP);
    const uint32_t pair = qp(context, pd(context), cq(context));
    EXPECT_EQ(mcast(VRDMA_CMD_DETACH_MCAST, context, pair, 1), EOPNOTSUPP);
}

}  // namespace
}  // namespace vrdma::device
