// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Extended reliable connections: domains, their SRQs, initiators and targets, as a guest asks for
// them.
#include <gmock/gmock.h>

#include "command_fixture.h"
#include "rnic/verbs_abi.h"

namespace vrdma::device {
namespace {

using testing::ElementsAre;

class XrcTest : public CommandTest {
  protected:
    // What a process has.
    struct Process {
        uint32_t uctx;
        uint32_t pd;
        uint32_t cq;
    };
    Process process() {
        const uint32_t context = uctx();
        return {.uctx = context, .pd = pd(context), .cq = cq(context)};
    }
    std::pair<int, uint32_t> try_xrcd(uint32_t uctx = VRDMA_NO_HANDLE) {
        return ask(make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_XRCD, uctx));
    }
    uint32_t xrcd() { return try_xrcd().second; }
    std::pair<int, uint32_t> try_srq(const Process& of, uint32_t xrcd) {
        auto request = make<vrdma_cmd_create_xrc_srq>(VRDMA_CMD_CREATE_XRC_SRQ, of.uctx);
        request.pd = htole32(of.pd);
        request.xrcd = htole32(xrcd);
        request.cq = htole32(of.cq);
        request.max_wr = htole32(7);
        return ask(request);
    }
    static vrdma_cmd_create_qp qp_request(rnic::QpType type, uint32_t uctx, uint32_t pd,
                                          uint32_t send_cq) {
        auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, uctx);
        request.pd = htole32(pd);
        request.send_cq = htole32(send_cq);
        request.recv_cq = request.srq = htole32(VRDMA_NO_HANDLE);
        request.qp_type = static_cast<uint8_t>(type);
        return request;
    }
    static vrdma_cmd_create_qp target(uint32_t xrcd) {
        return qp_request(rnic::QpType::kXrcTarget, VRDMA_NO_HANDLE, xrcd, VRDMA_NO_HANDLE);
    }
    static vrdma_cmd_create_qp initiator(const Process& of) {
        return qp_request(rnic::QpType::kXrcInitiator, of.uctx, of.pd, of.cq);
    }
    int release(uint16_t opcode, uint32_t handle, uint32_t uctx = VRDMA_NO_HANDLE) {
        auto request = make<vrdma_cmd_handle>(opcode, uctx);
        request.handle = htole32(handle);
        return ask(request).first;
    }
};

TEST_F(XrcTest, AQueueHasADomainAProtectionDomainAndACqOfItsProcess) {
    const Process a = process();
    const Process b = process();
    const uint32_t domain = xrcd();
    EXPECT_EQ(try_srq(a, domain).first, 0);
    EXPECT_EQ(state_.xrc_srq.attributes.max_wr, 7U);
    EXPECT_EQ(try_srq({.uctx = a.uctx, .pd = b.pd, .cq = a.cq}, domain).first, EINVAL);
    EXPECT_EQ(try_srq({.uctx = a.uctx, .pd = a.pd, .cq = b.cq}, domain).first, EINVAL);
    EXPECT_EQ(try_srq(a, domain + 1).first, EINVAL);
    EXPECT_EQ(try_srq(b, domain).first, 0) << "a domain is for all processes of the guest";
    EXPECT_EQ(state_.srqs, 2);
}

TEST_F(XrcTest, ACqThatAQueueUsesStays) {
    const Process a = process();
    const uint32_t srq = try_srq(a, xrcd()).second;
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_CQ, a.cq, a.uctx), EBUSY);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_SRQ, srq, a.uctx), 0);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_CQ, a.cq, a.uctx), 0);
}

TEST_F(XrcTest, ADomainBelongsToNoContextAndHasNoPrivateBytes) {
    EXPECT_EQ(try_xrcd(uctx()).first, EINVAL);
    auto request = make<vrdma_cmd_empty>(VRDMA_CMD_ALLOC_XRCD);
    request.hdr.udata_in_len = htole16(4);
    std::vector<std::byte> bytes(sizeof(request) + 4);
    std::memcpy(bytes.data(), &request, sizeof(request));
    EXPECT_EQ(ask_bytes(bytes).first, EINVAL);
    EXPECT_EQ(state_.xrcds, 0);
}

TEST_F(XrcTest, ADomainThatIsGivenBackIsNoLongerNamedAndGoesWithItsLastObject) {
    const Process a = process();
    const uint32_t domain = xrcd();
    const uint32_t srq = try_srq(a, domain).second;
    const uint32_t qp = ask(target(domain)).second;
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_XRCD, domain), 0);
    EXPECT_EQ(state_.xrcds, 1);
    EXPECT_EQ(verbs_->counts().xrc_domains, 1U) << "it counts as long as it is there";
    EXPECT_EQ(try_srq(a, domain).first, EINVAL);
    EXPECT_EQ(ask(target(domain)).first, EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_XRCD, domain), EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_SRQ, srq, a.uctx), 0);
    EXPECT_EQ(state_.xrcds, 1);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_QP, qp), 0);
    EXPECT_EQ(state_.xrcds, 0);
    EXPECT_EQ(verbs_->counts().xrc_domains, 0U);
}

TEST_F(XrcTest, ADomainThatIsGivenBackGoesWithAContext) {
    const Process a = process();
    const uint32_t domain = xrcd();
    ASSERT_EQ(try_srq(a, domain).first, 0);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_XRCD, domain), 0);
    EXPECT_EQ(state_.xrcds, 1);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_UCONTEXT, a.uctx), 0);
    EXPECT_EQ(state_.xrcds, 0);
}

TEST_F(XrcTest, ATargetStaysWhenAContextEnds) {
    const Process a = process();
    const auto [status, qp] = ask(target(xrcd()));
    ASSERT_EQ(status, 0);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_UCONTEXT, a.uctx), 0);
    EXPECT_EQ(state_.targets, 1);
    auto query = make<vrdma_cmd_query_qp>(VRDMA_CMD_QUERY_QP);
    query.handle = htole32(qp);
    EXPECT_EQ(ask(query).first, 0);
}

TEST_F(XrcTest, ATargetIsTheDevicesAlone) {
    const Process a = process();
    auto of_context = target(xrcd());
    of_context.hdr.uctx = htole32(a.uctx);
    EXPECT_EQ(ask(of_context).first, EINVAL);
    auto sends = target(xrcd());
    sends.send_cq = htole32(a.cq);
    EXPECT_EQ(ask(sends).first, EINVAL);
    const uint32_t qp = ask(target(xrcd())).second;
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_QP, qp, a.uctx), EINVAL);
    EXPECT_EQ(release(VRDMA_CMD_DESTROY_QP, qp), 0);
}

TEST_F(XrcTest, AnInitiatorReceivesNothing) {
    const Process a = process();
    EXPECT_EQ(ask(initiator(a)).first, 0);
    auto receives = initiator(a);
    receives.recv_cq = htole32(a.cq);
    EXPECT_EQ(ask(receives).first, EINVAL);
    auto with_queue = initiator(a);
    with_queue.srq = htole32(try_srq(a, xrcd()).second);
    EXPECT_EQ(ask(with_queue).first, EINVAL);
    auto without_cq = initiator(a);
    without_cq.send_cq = htole32(VRDMA_NO_HANDLE);
    EXPECT_EQ(ask(without_cq).first, EINVAL);
    EXPECT_EQ(state_.qps, 1);
}

TEST_F(XrcTest, AReliableQueuePairNeedsACqToReceive) {
    const Process a = process();
    auto request = initiator(a);
    request.qp_type = static_cast<uint8_t>(rnic::QpType::kRc);
    EXPECT_EQ(ask(request).first, EINVAL);
}

TEST_F(XrcTest, WhatTheRnicRefusesLeavesNothing) {
    state_.refuse = ENOMEM;
    EXPECT_EQ(try_xrcd().first, ENOMEM);
    const uint32_t domain = xrcd();
    state_.refuse = ENOSPC;
    EXPECT_EQ(ask(target(domain)).first, ENOSPC);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_XRCD, domain), 0);
    EXPECT_EQ(state_.xrcds, 0);
}

TEST_F(XrcTest, AllGoesInTheOrderOfDependence) {
    const Process a = process();
    const uint32_t domain = xrcd();
    ASSERT_EQ(try_srq(a, domain).first, 0);
    ASSERT_EQ(ask(target(domain)).first, 0);
    state_.destroyed.clear();
    verbs_->release_all();
    EXPECT_THAT(state_.destroyed, ElementsAre("srq", "cq", "pd", "context", "target", "xrcd"));
}

TEST_F(XrcTest, ADeviceWithoutTheFeatureHasNone) {
    attributes_.has_xrc = false;
    make_verbs();
    const Process a = process();
    EXPECT_EQ(try_xrcd().first, EOPNOTSUPP);
    EXPECT_EQ(try_srq(a, 0).first, EOPNOTSUPP);
    EXPECT_EQ(ask(initiator(a)).first, EOPNOTSUPP);
    EXPECT_EQ(ask(target(0)).first, EOPNOTSUPP);
    EXPECT_EQ(release(VRDMA_CMD_DEALLOC_XRCD, 0), EOPNOTSUPP);
}

}  // namespace
}  // namespace vrdma::device
