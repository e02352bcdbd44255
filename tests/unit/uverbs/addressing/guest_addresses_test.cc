// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/guest_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/captured_log.h"
#include "unit/uverbs/fakes/fake_sysfs.h"
#include "vrdma_commands.h"

namespace vrdma::uverbs {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class GuestAddressesTest : public testing::Test {
  protected:
    GuestAddressesTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.set_gid("rxe0", 1, "10.9.0.1");
        rules_.peers = {{"", parse_gid_prefix("10.77.0.3").value(), gid("10.9.0.2")}};
    }

    GuestAddresses& guest(const std::string& name = "a") {
        if (!map_) {
            map_ = std::make_shared<OverlayMap>(
                rules_, std::make_shared<HostGidTable>("rxe0", 1, sysfs_.sysfs()));
        }
        auto& addresses = guests_[name];
        if (!addresses) addresses = std::make_unique<GuestAddresses>(name, map_, logger_);
        return *addresses;
    }

    static int add(GuestAddresses& guest, uint32_t index, const std::string& address,
                   uint32_t type = VRDMA_GID_TYPE_ROCE_V2) {
        return error_of(guest.add_gid(index, gid(address), type));
    }

    template <typename T>
    static int error_of(const Result<T>& result) {
        return result ? 0 : to_int(result.error());
    }

    static rnic::AhAttributes to(const std::string& address, uint8_t sgid_index = 0) {
        rnic::AhAttributes attributes;
        attributes.dgid = gid(address);
        attributes.sgid_index = sgid_index;
        attributes.port = 1;
        return attributes;
    }

    test::CapturedLog log_;
    std::shared_ptr<spdlog::logger> logger_ = log_.logger();
    FakeSysfs sysfs_;
    AddressRules rules_;
    std::shared_ptr<OverlayMap> map_;
    std::map<std::string, std::unique_ptr<GuestAddresses>> guests_;
};

TEST_F(GuestAddressesTest, SourceAndDestinationAreReplaced) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    const auto underlay = guest().underlay(to("10.77.0.3"));
    ASSERT_TRUE(underlay.has_value());
    EXPECT_EQ(underlay->sgid_index, 1);
    EXPECT_EQ(underlay->dgid, gid("10.9.0.2"));
    EXPECT_EQ(underlay->port, 1);
}

TEST_F(GuestAddressesTest, WhatIsNoAddressStaysAsItIs) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    rnic::AhAttributes attributes = to("10.77.0.3");
    attributes.traffic_class = 0x68;
    attributes.sl = 3;
    attributes.static_rate = 2;
    attributes.flow_label = 0xfff12345;
    attributes.hop_limit = 9;
    attributes.dmac = {1, 2, 3, 4, 5, 6};
    const auto underlay = guest().underlay(attributes);
    ASSERT_TRUE(underlay.has_value());
    EXPECT_EQ(underlay->traffic_class, 0x68);
    EXPECT_EQ(underlay->sl, 3);
    EXPECT_EQ(underlay->static_rate, 2);
    EXPECT_EQ(underlay->flow_label, 0x12345U) << "it has 20 bits";
    EXPECT_EQ(underlay->hop_limit, 9);
    EXPECT_EQ(underlay->dmac, rnic::MacAddress{}) << "it is one of the guest's link";
}

TEST_F(GuestAddressesTest, AHopLimitThatIsLeftOpenGetsOne) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    EXPECT_EQ(guest().underlay(to("10.77.0.3"))->hop_limit, 64);
}

TEST_F(GuestAddressesTest, AnEmptyEntryIsNoSource) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    EXPECT_EQ(error_of(guest().underlay(to("10.77.0.3", 1))), EINVAL);
    ASSERT_TRUE(guest().del_gid(0).has_value());
    EXPECT_EQ(error_of(guest().underlay(to("10.77.0.3", 0))), EINVAL);
}

TEST_F(GuestAddressesTest, AnUnknownPeerIsNamedInTheLog) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    EXPECT_EQ(error_of(guest().underlay(to("10.77.0.9"))), ENETUNREACH);
    EXPECT_THAT(log_.str(), AllOf(HasSubstr("a: no path from 10.77.0.1 to 10.77.0.9"),
                                  HasSubstr("gid = \"10.77.0.9\"")));
}

TEST_F(GuestAddressesTest, TheLogCannotBeFlooded) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(error_of(guest().underlay(to("10.77.0.9"))), ENETUNREACH);
    }
    const std::string log = log_.str();
    EXPECT_LT(std::count(log.begin(), log.end(), '\n'), 1000);
}

TEST_F(GuestAddressesTest, ManyLinesOfOneKindHideNoOthers) {
    rules_.guests = {{"a", {"", {parse_gid_prefix("10.77.0.0/24").value()}}}};
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    EXPECT_EQ(error_of(guest().underlay(to("10.77.0.9"))), ENETUNREACH);
    EXPECT_EQ(add(guest(), 1, "10.78.0.1"), EACCES);
    ASSERT_TRUE(guest().underlay(to("10.9.0.1")).has_value());
    EXPECT_THAT(log_.str(), AllOf(HasSubstr("no path"), HasSubstr("10.78.0.1 is not among"),
                                  HasSubstr("sees 10.9.0.1")));
}

TEST_F(GuestAddressesTest, TheOperatorLearnsThatABareMetalPeerSeesAnotherAddress) {
    ASSERT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    ASSERT_TRUE(guest().underlay(to("10.9.0.1")).has_value());
    EXPECT_THAT(log_.str(), HasSubstr("sees 10.9.0.1 as the source of its packets, not 10.77.0.1"));
}

TEST_F(GuestAddressesTest, ReplacingAnEntryReleasesTheOldGid) {
    ASSERT_EQ(add(guest("a"), 0, "10.77.0.1"), 0);
    ASSERT_EQ(add(guest("a"), 0, "10.77.0.2"), 0);
    ASSERT_EQ(add(guest("b"), 0, "10.77.0.4"), 0);
    EXPECT_EQ(error_of(guest("b").underlay(to("10.77.0.1"))), ENETUNREACH);
    EXPECT_EQ(error_of(guest("b").underlay(to("10.77.0.2"))), 0);
}

TEST_F(GuestAddressesTest, AGuestThatGoesReleasesItsGids) {
    ASSERT_EQ(add(guest("a"), 0, "10.77.0.1"), 0);
    ASSERT_EQ(add(guest("b"), 0, "10.77.0.4"), 0);
    guests_.erase("a");
    EXPECT_EQ(error_of(guest("b").underlay(to("10.77.0.1"))), ENETUNREACH);
}

TEST_F(GuestAddressesTest, ASecondGuestWithTheAddressIsWarnedAndCannotUseIt) {
    ASSERT_EQ(add(guest("a"), 0, "10.77.0.1"), 0);
    EXPECT_EQ(add(guest("b"), 0, "10.77.0.1"), 0) << "its kernel would never add it again";
    EXPECT_THAT(log_.str(), HasSubstr("b: the address 10.77.0.1 belongs to the guest 'a'"));
    EXPECT_EQ(error_of(guest("b").underlay(to("10.77.0.3"))), EADDRINUSE);
    guests_.erase("a");
    EXPECT_EQ(error_of(guest("b").underlay(to("10.77.0.3"))), 0);
}

TEST_F(GuestAddressesTest, AddressesThatNoOneCanHaveAreRefused) {
    EXPECT_EQ(add(guest(), 0, "::"), EINVAL);
    EXPECT_EQ(add(guest(), 0, "ff02::1"), EINVAL);
    EXPECT_EQ(add(guest(), GuestAddresses::kTableLength, "10.77.0.1"), EINVAL);
    EXPECT_EQ(add(guest(), 0, "10.77.0.1", VRDMA_GID_TYPE_ROCE_V1), EOPNOTSUPP);
    EXPECT_EQ(error_of(guest().del_gid(GuestAddresses::kTableLength)), EINVAL);
}

TEST_F(GuestAddressesTest, AnEmptyEntryCanBeDeleted) {
    EXPECT_EQ(error_of(guest().del_gid(0)), 0);
}

TEST_F(GuestAddressesTest, AGuestHasOnlyTheGidsThatTheOperatorGivesIt) {
    rules_.guests = {{"a", {"", {parse_gid_prefix("10.77.0.0/24").value()}}}};
    EXPECT_EQ(add(guest(), 0, "10.77.0.1"), 0);
    EXPECT_EQ(add(guest(), 1, "10.78.0.1"), EACCES);
    EXPECT_THAT(log_.str(), HasSubstr("10.78.0.1 is not among the 'gids'"));
    EXPECT_EQ(add(guest(), 2, "fe80::1"), 0) << "each has one, from its MAC";
}

}  // namespace
}  // namespace vrdma::uverbs
