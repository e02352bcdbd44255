// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/gid.h"

#include <gtest/gtest.h>

namespace vrdma::uverbs {
namespace {

TEST(GidTest, AnIpv4AddressIsMappedIntoAGid) {
    EXPECT_EQ(parse_gid("10.77.0.3"),
              (rnic::Gid{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 77, 0, 3}));
    EXPECT_EQ(parse_gid("10.77.0.3"), parse_gid("::ffff:10.77.0.3"));
}

TEST(GidTest, IsWrittenAsAnAddress) {
    for (const char* text : {"10.77.0.3", "fd00::3", "fe80::5054:ff:fe12:3456"}) {
        EXPECT_EQ(to_string(parse_gid(text).value()), text);
    }
}

TEST(GidTest, RejectsWhatIsNoAddress) {
    for (const std::string& text :
         {std::string(""), std::string("10.77.0"), std::string("10.77.0.256"),
          std::string("10.77.0.3 "), std::string("fd00"), std::string("eth0"),
          std::string("10.77.0.3\0x", 11)}) {
        EXPECT_FALSE(parse_gid(text).has_value()) << text;
    }
}

TEST(GidTest, HasAScope) {
    EXPECT_EQ(scope_of(*parse_gid("10.0.0.1")), GidScope::kIpv4);
    EXPECT_EQ(scope_of(*parse_gid("fe80::1")), GidScope::kIpv6LinkLocal);
    EXPECT_EQ(scope_of(*parse_gid("febf::1")), GidScope::kIpv6LinkLocal);
    EXPECT_EQ(scope_of(*parse_gid("fec0::1")), GidScope::kIpv6);
    EXPECT_EQ(scope_of(*parse_gid("fd00::1")), GidScope::kIpv6);
}

TEST(GidTest, KnowsLoopbackAddressesOfBothFamilies) {
    EXPECT_TRUE(is_loopback(*parse_gid("127.0.0.1")));
    EXPECT_TRUE(is_loopback(*parse_gid("127.255.0.9")));
    EXPECT_TRUE(is_loopback(*parse_gid("::1")));
    EXPECT_FALSE(is_loopback(*parse_gid("0.0.0.1")));
    EXPECT_FALSE(is_loopback(*parse_gid("::2")));
}

TEST(GidTest, KnowsTheUnspecifiedAddressOfBothFamilies) {
    EXPECT_TRUE(is_zero(*parse_gid("::")));
    EXPECT_TRUE(is_zero(*parse_gid("0.0.0.0")));
    EXPECT_FALSE(is_zero(*parse_gid("::1")));
    EXPECT_FALSE(is_zero(*parse_gid("0.0.0.1")));
}

TEST(GidTest, KnowsMulticastOfBothFamilies) {
    EXPECT_TRUE(is_multicast(*parse_gid("ff02::1")));
    EXPECT_TRUE(is_multicast(*parse_gid("224.0.0.1")));
    EXPECT_TRUE(is_multicast(*parse_gid("239.255.0.1")));
    EXPECT_FALSE(is_multicast(*parse_gid("240.0.0.1")));
    EXPECT_FALSE(is_multicast(*parse_gid("10.0.0.1")));
}

TEST(GidPrefixTest, ContainsWhatSharesItsBits) {
    const GidPrefix prefix = parse_gid_prefix("10.77.4.0/22").value();
    EXPECT_TRUE(prefix.contains(*parse_gid("10.77.4.0")));
    EXPECT_TRUE(prefix.contains(*parse_gid("10.77.7.255")));
    EXPECT_FALSE(prefix.contains(*parse_gid("10.77.8.0")));
    EXPECT_FALSE(prefix.contains(*parse_gid("10.77.3.255")));
}

TEST(GidPrefixTest, AnIpv4PrefixContainsNoIpv6Address) {
    const GidPrefix all = parse_gid_prefix("0.0.0.0/0").value();
    EXPECT_TRUE(all.contains(*parse_gid("192.0.2.1")));
    EXPECT_FALSE(all.contains(*parse_gid("fd00::1")));
}

TEST(GidPrefixTest, AnAddressAloneIsOneGid) {
    const GidPrefix prefix = parse_gid_prefix("fd00::3").value();
    EXPECT_TRUE(prefix.is_one_gid());
    EXPECT_TRUE(prefix.contains(*parse_gid("fd00::3")));
    EXPECT_FALSE(prefix.contains(*parse_gid("fd00::2")));
    EXPECT_TRUE(parse_gid_prefix("10.0.0.1/32").value().is_one_gid());
}

TEST(GidPrefixTest, IsWrittenAsItWasRead) {
    for (const char* text : {"10.77.0.0/24", "10.0.0.1", "fd00::/8", "::/0", "0.0.0.0/0"}) {
        EXPECT_EQ(to_string(parse_gid_prefix(text).value()), text);
    }
}

TEST(GidPrefixTest, RejectsWhatIsNoPrefix) {
    for (const char* text : {"10.77.0.0/33", "fd00::/129", "10.77.0.0/", "10.77.0.0/x", "/24",
                             "10.77.0.0/24/8", "10.77.0.0/ 8", "10.77.0.0/-1", "10.77.0.0/256"}) {
        EXPECT_FALSE(parse_gid_prefix(text).has_value()) << text;
    }
}

TEST(GidPrefixTest, RejectsBitsBehindThePrefix) {
    EXPECT_FALSE(parse_gid_prefix("10.77.0.1/24").has_value());
    EXPECT_FALSE(parse_gid_prefix("fd00::1/64").has_value());
}

}  // namespace
}  // namespace vrdma::uverbs
