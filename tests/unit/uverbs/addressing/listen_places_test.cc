// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/listen_places.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include <memory>
#include <string>
#include <vector>

#include "unit/uverbs/fakes/fake_sysfs.h"
#include "vrdma_commands.h"

namespace vrdma::uverbs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A guest on an RNIC with 10.9.0.1 (the default), 10.9.0.11 and fd09::1.
class ListenPlacesTest : public testing::Test {
  protected:
    ListenPlacesTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.set_gid("rxe0", 1, "10.9.0.1");
        sysfs_.set_gid("rxe0", 2, "10.9.0.11");
        sysfs_.set_gid("rxe0", 3, "fd09::1");
        map_ = std::make_shared<OverlayMap>(
            AddressRules{}, std::make_shared<HostGidTable>("rxe0", 1, sysfs_.sysfs()));
        guest_ = std::make_unique<GuestAddresses>("a", map_, logger_);
    }

    void guest_has(const std::vector<std::string>& addresses) {
        for (uint32_t index = 0; index < addresses.size(); ++index) {
            EXPECT_TRUE(guest_->add_gid(index, gid(addresses[index]), VRDMA_GID_TYPE_ROCE_V2));
        }
    }

    // The places as "GUEST at UNDERLAY".
    std::vector<std::string> places(const SocketAddress& local, bool ipv6_only = false) {
        std::vector<std::string> text;
        for (const ListenPlace& place : listen_places(*guest_, local, ipv6_only)) {
            text.push_back(to_string(place.guest) + " at " + to_string(place.underlay));
        }
        return text;
    }
    std::vector<std::string> places(const std::string& local, bool ipv6_only = false) {
        return places(socket_address(gid(local), 7), ipv6_only);
    }

    FakeSysfs sysfs_;
    std::shared_ptr<spdlog::logger> logger_ =
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
    std::shared_ptr<OverlayMap> map_;
    std::unique_ptr<GuestAddresses> guest_;
};

TEST_F(ListenPlacesTest, AnAddressIsOnePlace) {
    guest_has({"10.77.0.1", "10.9.0.11"});
    EXPECT_THAT(places("10.77.0.1"), ElementsAre("10.77.0.1 at 10.9.0.1"));
    EXPECT_THAT(places("10.9.0.11"), ElementsAre("10.9.0.11 at 10.9.0.11"));
}

TEST_F(ListenPlacesTest, AnAddressOfNobodyIsNoPlace) {
    guest_has({"10.77.0.1"});
    EXPECT_THAT(places("10.77.0.2"), IsEmpty());
}

TEST_F(ListenPlacesTest, AnyAddressIsAPlaceForEachUnderlayGid) {
    guest_has({"10.77.0.1", "10.9.0.11", "10.77.0.5"});
    EXPECT_THAT(places("0.0.0.0"), ElementsAre("10.9.0.11 at 10.9.0.11", "10.77.0.1 at 10.9.0.1"));
}

TEST_F(ListenPlacesTest, AnyIpv4AddressHasNoPlaceOfIpv6) {
    guest_has({"fd77::1", "10.9.0.11", "fd09::1"});
    EXPECT_THAT(places("0.0.0.0"), ElementsAre("10.9.0.11 at 10.9.0.11"));
}

TEST_F(ListenPlacesTest, AnyIpv6AddressHasPlacesOfBothFamiliesUnlessItIsAlone) {
    guest_has({"10.9.0.11", "fd09::1"});
    EXPECT_THAT(places("::"), ElementsAre("10.9.0.11 at 10.9.0.11", "fd09::1 at fd09::1"));
    EXPECT_THAT(places("::", true), ElementsAre("fd09::1 at fd09::1"));
}

TEST_F(ListenPlacesTest, AnIpv6StructureWithAnyIpv4AddressMeansBothFamilies) {
    guest_has({"10.9.0.11", "fd09::1"});
    SocketAddress local = socket_address(gid("0.0.0.0"), 7);
    local.ipv6 = true;
    EXPECT_THAT(places(local), ElementsAre("10.9.0.11 at 10.9.0.11", "fd09::1 at fd09::1"));
}

TEST_F(ListenPlacesTest, APlaceIsCalledByAnAddressOfItsFamily) {
    guest_has({"fe80::1", "10.77.0.1", "10.77.0.5"});
    EXPECT_THAT(places("::"), ElementsAre("10.77.0.1 at 10.9.0.1"));
}

TEST_F(ListenPlacesTest, APlaceIsCalledByTheUnderlayGidItselfIfTheGuestHasIt) {
    guest_has({"10.77.0.1", "10.9.0.1"});
    EXPECT_THAT(places("0.0.0.0"), ElementsAre("10.9.0.1 at 10.9.0.1"));
}

TEST(IsHostsPort, LowPortsOfSharedAddressesAreTheHosts) {
    const ListenPlace shared{gid("10.77.0.1"), gid("10.9.0.1"), true};
    EXPECT_TRUE(is_hosts_port(shared, 1023));
    EXPECT_FALSE(is_hosts_port(shared, 1024));
    const ListenPlace own{gid("10.9.0.11"), gid("10.9.0.11")};
    EXPECT_FALSE(is_hosts_port(own, 1));
}

}  // namespace
}  // namespace vrdma::uverbs
