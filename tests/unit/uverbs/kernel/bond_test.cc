// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/kernel/bond.h"

#include <gtest/gtest.h>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

class BondTest : public testing::Test {
  protected:
    void set_master(const std::string& netdev, const std::string& master) const {
        std::filesystem::create_directories(net() / netdev);
        std::filesystem::create_directory_symlink("../" + master, net() / netdev / "master");
    }
    std::filesystem::path net() const { return sysfs_.root() / "net"; }

    FakeSysfs sysfs_;
};

TEST_F(BondTest, ASlaveHasABond) {
    set_master("eth0", "bond7");
    std::filesystem::create_directory(net() / "eth0" / "bonding_slave");
    EXPECT_EQ(bond_of("eth0", net()), "bond7");
}

TEST_F(BondTest, APortOfABridgeHasNone) {
    set_master("eth0", "br0");
    EXPECT_EQ(bond_of("eth0", net()), "");
}

TEST_F(BondTest, ANetdevWithoutAMasterAndOneThatIsGoneHaveNone) {
    std::filesystem::create_directories(net() / "eth0");
    EXPECT_EQ(bond_of("eth0", net()), "");
    EXPECT_EQ(bond_of("eth1", net()), "");
}

}  // namespace
}  // namespace vrdma::uverbs
