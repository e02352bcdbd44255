// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "device/verbs/object_listing.h"

#include <gtest/gtest.h>
#include <infiniband/verbs.h>

#include <algorithm>
#include <string_view>

#include "command_fixture.h"

namespace vrdma::device {
namespace {

class ObjectListingTest : public CommandTest {
  protected:
    ListedKind kind(std::string_view key) {
        const auto kinds = list_objects(verbs_->objects());
        const auto found = std::ranges::find(kinds, key, [](const auto& kind) { return kind.key; });
        EXPECT_NE(found, kinds.end()) << key;
        return found == kinds.end() ? ListedKind() : *found;
    }
};

TEST_F(ObjectListingTest, AQueuePairHasItsNumberAndItsState) {
    const uint32_t context = uctx();
    auto request = make<vrdma_cmd_create_qp>(VRDMA_CMD_CREATE_QP, context);
    request.pd = htole32(pd(context));
    request.send_cq = request.recv_cq = htole32(cq(context));
    request.srq = htole32(VRDMA_NO_HANDLE);
    request.qp_type = 2;  // IB_QPT_RC
    const auto [error, handle] = ask(request);
    ASSERT_EQ(error, 0);
    state_.qp_attributes.qp_state = IBV_QPS_RTS;
    const ListedKind qps = kind("queue_pairs");
    ASSERT_EQ(qps.objects.size(), 1U);
    EXPECT_EQ(qps.objects[0].handle, handle);
    EXPECT_EQ(qps.objects[0].uctx, context);
    EXPECT_EQ(qps.objects[0].qp_num, 0x77U);
    EXPECT_EQ(qps.objects[0].qp_state, IBV_QPS_RTS);
}

TEST_F(ObjectListingTest, AMemoryRegionHasTheBytesThatItKeepsRegistered) {
    const uint32_t context = uctx();
    const vrdma_run run[] = {{.gpa = htole64(kRam), .length = htole64(8192)}};
    ASSERT_EQ(ask_bytes(reg_mr(context, pd(context), 8192, 1, run)).first, 0);
    const ListedKind mrs = kind("memory_regions");
    ASSERT_EQ(mrs.objects.size(), 1U);
    EXPECT_EQ(mrs.objects[0].bytes, 8192U);
    EXPECT_FALSE(mrs.objects[0].qp_num);
}

TEST_F(ObjectListingTest, ThereAreAtMostSoManyOfAKindAndTheCountIsOfAll) {
    const uint32_t context = uctx();
    for (size_t i = 0; i < ListedKind::kMost + 3; ++i) {
        pd(context);
    }
    const ListedKind pds = kind("protection_domains");
    EXPECT_EQ(pds.count, ListedKind::kMost + 3);
    EXPECT_EQ(pds.objects.size(), ListedKind::kMost);
}

}  // namespace
}  // namespace vrdma::device
