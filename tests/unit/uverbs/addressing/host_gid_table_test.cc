// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/host_gid_table.h"

#include <gtest/gtest.h>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

class HostGidTableTest : public testing::Test {
  protected:
    HostGidTableTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.set_gid("rxe0", 0, "fe80::1");
        sysfs_.set_gid("rxe0", 1, "10.9.0.1");
        sysfs_.set_gid("rxe0", 4, "fd00::1", "RoCE v2", "eth0.7");
    }

    FakeSysfs sysfs_;
};

TEST_F(HostGidTableTest, HasTheGidsByIndex) {
    const HostGidTable table("rxe0", 1, sysfs_.sysfs());
    const auto gids = table.gids();
    ASSERT_EQ(gids->all().size(), 3U);
    ASSERT_NE(gids->at(4), nullptr);
    EXPECT_EQ(gids->at(4)->gid, gid("fd00::1"));
    EXPECT_EQ(gids->at(4)->netdev, "eth0.7");
    EXPECT_EQ(gids->at(2), nullptr) << "an empty entry";
}

TEST_F(HostGidTableTest, FindsAGid) {
    const HostGidTable table("rxe0", 1, sysfs_.sysfs());
    ASSERT_NE(table.gids()->find(gid("10.9.0.1")), nullptr);
    EXPECT_EQ(table.gids()->find(gid("10.9.0.1"))->index, 1);
    EXPECT_EQ(table.gids()->find(gid("10.9.0.2")), nullptr);
}

TEST_F(HostGidTableTest, FindsTheFirstOfAScope) {
    sysfs_.set_gid("rxe0", 5, "10.9.0.2");
    const HostGidTable table("rxe0", 1, sysfs_.sysfs());
    EXPECT_EQ(table.gids()->first(GidScope::kIpv4)->index, 1);
    EXPECT_EQ(table.gids()->first(GidScope::kIpv6)->index, 4);
    EXPECT_EQ(table.gids()->first(GidScope::kIpv6LinkLocal)->index, 0);
}

TEST_F(HostGidTableTest, LeavesOutWhatIsNotRoceV2) {
    sysfs_.set_gid("rxe0", 2, "10.9.0.5", "IB/RoCE v1");
    const HostGidTable table("rxe0", 1, sysfs_.sysfs());
    EXPECT_EQ(table.gids()->find(gid("10.9.0.5")), nullptr);
}

TEST_F(HostGidTableTest, ChangesWhenToldToReadAgain) {
    HostGidTable table("rxe0", 1, sysfs_.sysfs());
    const auto before = table.gids();
    sysfs_.clear_gid("rxe0", 1);
    sysfs_.set_gid("rxe0", 3, "10.9.0.11");
    EXPECT_EQ(table.gids()->find(gid("10.9.0.11")), nullptr);
    table.refresh();
    EXPECT_EQ(table.gids()->find(gid("10.9.0.11"))->index, 3);
    EXPECT_EQ(table.gids()->find(gid("10.9.0.1")), nullptr);
    EXPECT_NE(before->find(gid("10.9.0.1")), nullptr) << "what one has does not change";
}

TEST_F(HostGidTableTest, OfARnicThatIsGoneIsEmpty) {
    const HostGidTable table("rxe7", 1, sysfs_.sysfs());
    EXPECT_TRUE(table.gids()->all().empty());
}

TEST_F(HostGidTableTest, EndsWhereAnIndexHasNoMoreThanEightBits) {
    sysfs_.add_rnic("rxe1", 300);
    sysfs_.set_gid("rxe1", 255, "10.9.0.1");
    sysfs_.set_gid("rxe1", 256, "10.9.0.2");
    const HostGidTable table("rxe1", 1, sysfs_.sysfs());
    EXPECT_NE(table.gids()->find(gid("10.9.0.1")), nullptr);
    EXPECT_EQ(table.gids()->find(gid("10.9.0.2")), nullptr);
}

}  // namespace
}  // namespace vrdma::uverbs
