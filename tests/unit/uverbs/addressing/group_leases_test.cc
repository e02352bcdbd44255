// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/group_leases.h"

#include <gtest/gtest.h>

#include <optional>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

TEST(GroupLeasesTest, GuestsOfOneNetworkShareAGroup) {
    GroupLeases groups;
    const auto first = groups.use("blue", gid("239.0.0.1"));
    EXPECT_TRUE(first && groups.use("blue", gid("239.0.0.1")));
}

TEST(GroupLeasesTest, AGroupIsOneNetworksUntilItsLastUserIsGone) {
    GroupLeases groups;
    std::optional first(groups.use("blue", gid("239.0.0.1")).value());
    std::optional second(groups.use("blue", gid("239.0.0.1")).value());
    first.reset();
    EXPECT_EQ(groups.use("", gid("239.0.0.1")).error(), Errno{EADDRINUSE});
    second.reset();
    EXPECT_TRUE(groups.use("", gid("239.0.0.1")));
}

TEST(GroupLeasesTest, NetworksHaveGroupsOfTheirOwn) {
    GroupLeases groups;
    const auto first = groups.use("blue", gid("239.0.0.1"));
    EXPECT_TRUE(groups.use("", gid("239.0.0.2")));
}

}  // namespace
}  // namespace vrdma::uverbs
