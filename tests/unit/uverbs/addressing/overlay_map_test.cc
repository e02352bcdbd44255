// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The rules of docs/architecture/addressing.md, one by one.  The host RNIC has
//   0  fe80::a        1  10.9.0.1 (the default)      2  10.9.0.11 and      3  10.9.0.12,
// announced for guests a and b, whose own addresses are 10.77.0.1 and 10.77.0.2.
#include "rnic/uverbs/addressing/overlay_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "unit/uverbs/fakes/fake_sysfs.h"

namespace vrdma::uverbs {
namespace {

using testing::AllOf;
using testing::HasSubstr;

Peer peer(const std::string& prefix, const std::string& via = "", const std::string& network = "") {
    Peer result{network, parse_gid_prefix(prefix).value(), std::nullopt};
    if (!via.empty()) result.via = gid(via);
    return result;
}

class OverlayMapTest : public testing::Test {
  protected:
    OverlayMapTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.set_gid("rxe0", 0, "fe80::a");
        sysfs_.set_gid("rxe0", 1, "10.9.0.1");
        sysfs_.set_gid("rxe0", 2, "10.9.0.11");
        sysfs_.set_gid("rxe0", 3, "10.9.0.12");
    }

    // The map is made when it is first used, after the test has filled rules_ and sysfs_.
    OverlayMap& map() {
        if (!map_) {
            host_ = std::make_shared<HostGidTable>("rxe0", 1, sysfs_.sysfs());
            map_ = std::make_unique<OverlayMap>(rules_, host_, [this] { return now_; });
        }
        return *map_;
    }

    void claim(const std::string& guest, const std::string& address) {
        map().claim(guest, gid(address));
    }

    // The path as "SOURCE -> DESTINATION", or the name of the error.
    std::string path(const std::string& guest, const std::string& source,
                     const std::string& destination) {
        return text_of(map().path(guest, gid(source), gid(destination)));
    }
    std::string group_path(const std::string& guest, const std::string& source,
                           const std::string& group) {
        return text_of(map().group_path(guest, gid(source), gid(group)));
    }
    std::string text_of(const tl::expected<UnderlayPath, AddressError>& found) {
        if (!found) {
            reason_ = found.error().reason;
            return ::strerrorname_np(to_int(found.error().error));
        }
        EXPECT_EQ(host_->gids()->at(found->sgid_index)->gid, found->sgid);
        bare_metal_ = found->bare_metal;
        return to_string(found->sgid) + " -> " + to_string(found->dgid);
    }

    // Each end's source is the other end's destination, as an RC connection needs it.
    void expect_fit(const std::string& source, const std::string& destination) {
        const auto there = map().path("a", gid(source), gid(destination));
        const auto back = map().path("b", gid(destination), gid(source));
        ASSERT_TRUE(there.has_value() && back.has_value());
        EXPECT_EQ(there->sgid, back->dgid);
        EXPECT_EQ(there->dgid, back->sgid);
    }

    FakeSysfs sysfs_;
    AddressRules rules_;
    std::shared_ptr<HostGidTable> host_;
    std::unique_ptr<OverlayMap> map_;
    std::chrono::steady_clock::time_point now_{};
    std::string reason_;
    bool bare_metal_ = false;
};

TEST_F(OverlayMapTest, GuestsOfOneHostMeetAtTheDefaultGid) {
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.2"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, AnnouncedGuestsOfOneHostKeepTheirAddresses) {
    claim("a", "10.9.0.11");
    claim("b", "10.9.0.12");
    EXPECT_EQ(path("a", "10.9.0.11", "10.9.0.12"), "10.9.0.11 -> 10.9.0.12");
    EXPECT_FALSE(bare_metal_);
}

TEST_F(OverlayMapTest, BothEndsFitWhicheverAddressesGuestsOfOneHostUse) {
    sysfs_.set_gid("rxe0", 4, "fd00::b");
    const std::vector<std::string> of_a{"10.77.0.1", "10.9.0.11", "fe80::1", "fd77::1"};
    const std::vector<std::string> of_b{"10.77.0.2", "10.9.0.12", "fe80::2", "fd00::b"};
    for (const auto& address : of_a) claim("a", address);
    for (const auto& address : of_b) claim("b", address);
    for (const auto& source : of_a) {
        for (const auto& destination : of_b) {
            SCOPED_TRACE(testing::Message() << source << " and " << destination);
            expect_fit(source, destination);
        }
    }
}

TEST_F(OverlayMapTest, AGuestReachesItself) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, AGidIsUnknownOnceItsGuestReleasedIt) {
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.2");
    map().release("b", gid("10.77.0.2"));
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.2"), "ENETUNREACH");
}

TEST_F(OverlayMapTest, TheDefaultIsTheFirstGidWithAnIpv4Address) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, TheDefaultOfAnIpv6HostIsItsFirstRoutableGid) {
    for (uint32_t index = 1; index < 4; ++index) sysfs_.clear_gid("rxe0", index);
    sysfs_.set_gid("rxe0", 5, "fd00::1");
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "fd00::1 -> fd00::1");
}

TEST_F(OverlayMapTest, TheDefaultIsTheConfiguredIndex) {
    rules_.gid_index = 3;
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "10.9.0.12 -> 10.9.0.12");
}

TEST_F(OverlayMapTest, AConfiguredIndexThatIsEmptyIsRefusedWithThoseThereAre) {
    rules_.gid_index = 7;
    try {
        map();
        FAIL() << "accepted";
    } catch (const std::invalid_argument& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("gid_index 7 is no RoCE v2 GID"),
                                        HasSubstr("0 (fe80::a), 1 (10.9.0.1)")));
    }
}

TEST_F(OverlayMapTest, APeerWithViaIsReachedThere) {
    rules_.peers = {peer("10.77.0.3", "10.9.0.2")};
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "10.9.0.1 -> 10.9.0.2");
    EXPECT_FALSE(bare_metal_);
}

TEST_F(OverlayMapTest, AnAnnouncedGuestSendsFromItsOwnAddressToAPeer) {
    rules_.peers = {peer("10.77.0.3", "10.9.0.2")};
    claim("a", "10.9.0.11");
    EXPECT_EQ(path("a", "10.9.0.11", "10.77.0.3"), "10.9.0.11 -> 10.9.0.2");
}

TEST_F(OverlayMapTest, APeerWithoutViaIsReachedByItsOwnAddress) {
    rules_.peers = {peer("10.9.0.0/24")};
    claim("a", "10.9.0.11");
    EXPECT_EQ(path("a", "10.9.0.11", "10.9.0.7"), "10.9.0.11 -> 10.9.0.7");
    EXPECT_TRUE(bare_metal_);
}

TEST_F(OverlayMapTest, TheLongestPrefixCounts) {
    rules_.peers = {peer("10.77.0.0/16", "10.9.0.2"), peer("10.77.3.0/24", "10.9.0.3"),
                    peer("10.77.3.9", "10.9.0.4")};
    claim("a", "10.78.0.1");
    EXPECT_EQ(path("a", "10.78.0.1", "10.77.1.9"), "10.9.0.1 -> 10.9.0.2");
    EXPECT_EQ(path("a", "10.78.0.1", "10.77.3.8"), "10.9.0.1 -> 10.9.0.3");
    EXPECT_EQ(path("a", "10.78.0.1", "10.77.3.9"), "10.9.0.1 -> 10.9.0.4");
}

TEST_F(OverlayMapTest, AGuestOfThisHostCountsOverAPrefix) {
    rules_.peers = {peer("10.77.0.0/24", "10.9.0.2"), peer("10.9.0.0/24")};
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.2");
    claim("b", "10.9.0.15");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.2"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.15"), "10.9.0.1 -> 10.9.0.1") << "not announced";
}

TEST_F(OverlayMapTest, AnEntryForOneGidCountsOverAGuestThatClaimsIt) {
    rules_.peers = {peer("10.77.0.3", "10.9.0.2"), peer("10.9.0.7")};
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.3");
    claim("b", "10.9.0.7");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "10.9.0.1 -> 10.9.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.7"), "10.9.0.1 -> 10.9.0.7");
}

// All hosts of a site can have the same list of peers, which names their own guests too.
TEST_F(OverlayMapTest, AnEntryThatNamesThisHostGivesItsGuestThatSource) {
    rules_.peers = {peer("10.77.0.1", "10.9.0.12"), peer("10.77.0.3", "10.9.0.2")};
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "10.9.0.12 -> 10.9.0.2");
    EXPECT_EQ(path("b", "10.77.0.2", "10.77.0.1"), "10.9.0.1 -> 10.9.0.12");
    expect_fit("10.77.0.1", "10.77.0.2");
}

TEST_F(OverlayMapTest, TheHostsOwnGidsAreReachable) {
    claim("a", "10.9.0.11");
    EXPECT_EQ(path("a", "10.9.0.11", "10.9.0.1"), "10.9.0.11 -> 10.9.0.1");
    EXPECT_TRUE(bare_metal_);
}

TEST_F(OverlayMapTest, AnUnknownDestinationIsRefusedWithWhatToConfigure) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.9"), "ENETUNREACH");
    EXPECT_THAT(reason_, AllOf(HasSubstr("no [[peer]]"), HasSubstr("RNIC 'rxe0'"),
                               HasSubstr("add a [[peer]] with gid = \"10.77.0.9\"")));
}

TEST_F(OverlayMapTest, MulticastAndTheZeroGidAreNoDestinations) {
    rules_.peers = {peer("::/0"), peer("0.0.0.0/0")};
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "ff0e::1"), "ENETUNREACH");
    EXPECT_EQ(path("a", "10.77.0.1", "239.0.0.1"), "ENETUNREACH");
    EXPECT_EQ(path("a", "10.77.0.1", "::"), "ENETUNREACH");
    EXPECT_THAT(reason_, HasSubstr("an address of its own"));
}

TEST_F(OverlayMapTest, AMulticastGroupKeepsItsNameAndHasASourceOfItsFamily) {
    sysfs_.set_gid("rxe0", 4, "fd00::a");
    claim("a", "10.77.0.1");
    EXPECT_EQ(group_path("a", "10.77.0.1", "239.0.0.1"), "10.9.0.1 -> 239.0.0.1");
    EXPECT_EQ(group_path("a", "10.77.0.1", "ff0e::1"), "fd00::a -> ff0e::1");
}

TEST_F(OverlayMapTest, AnAnnouncedAddressSendsToMulticastGroupsItself) {
    claim("a", "10.9.0.11");
    EXPECT_EQ(group_path("a", "10.9.0.11", "239.0.0.1"), "10.9.0.11 -> 239.0.0.1");
}

TEST_F(OverlayMapTest, AMulticastGroupOfIpv6IsReachedFromALinkLocalAddressAtLeast) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(group_path("a", "10.77.0.1", "ff0e::1"), "fe80::a -> ff0e::1");
}

TEST_F(OverlayMapTest, AGuestSendsToMulticastGroupsFromItsOwnAddressesOnly) {
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.1");
    EXPECT_EQ(group_path("b", "10.77.0.1", "239.0.0.1"), "EADDRINUSE");
    EXPECT_THAT(reason_, HasSubstr("'a' has 10.77.0.1"));
}

TEST_F(OverlayMapTest, TheSourceIsOfTheDestinationsFamily) {
    sysfs_.set_gid("rxe0", 4, "fd00::1");
    rules_.peers = {peer("fd77::3", "fd00::2"), peer("fe80::/10")};
    claim("a", "10.9.0.11");
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.9.0.11", "fd77::3"), "fd00::1 -> fd00::2");
    EXPECT_EQ(path("a", "10.77.0.1", "fd77::3"), "fd00::1 -> fd00::2");
    EXPECT_EQ(path("a", "10.77.0.1", "fe80::77"), "fe80::a -> fe80::77");
}

TEST_F(OverlayMapTest, WithoutASourceOfThatFamilyThereIsNoPath) {
    rules_.peers = {peer("fd77::3", "fd00::2")};
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "fd77::3"), "EAFNOSUPPORT");
    EXPECT_THAT(reason_, AllOf(HasSubstr("'rxe0'"), HasSubstr("give its netdev an IPv6 address")));
}

TEST_F(OverlayMapTest, ARnicWithoutAddressesHasNoPath) {
    for (uint32_t index = 0; index < 4; ++index) sysfs_.clear_gid("rxe0", index);
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "EAFNOSUPPORT");
}

// Networks.

TEST_F(OverlayMapTest, GuestsOfAnotherNetworkAreUnknown) {
    rules_.guests = {{"a", {"red", {}}}, {"b", {"blue", {}}}};
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.2"), "ENETUNREACH");
    EXPECT_THAT(reason_, AllOf(HasSubstr("in the network 'red'"), HasSubstr("network = \"red\"")));
}

TEST_F(OverlayMapTest, PeersOfAnotherNetworkAreUnknown) {
    rules_.guests = {{"a", {"red", {}}}};
    rules_.peers = {peer("10.77.0.3", "10.9.0.2", "blue"), peer("10.77.0.4", "10.9.0.2")};
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "ENETUNREACH");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.4"), "ENETUNREACH");
}

TEST_F(OverlayMapTest, TwoNetworksCanHaveTheSameAddresses) {
    rules_.guests = {{"a", {"red", {}}}, {"b", {"blue", {}}}};
    rules_.peers = {peer("10.77.0.3", "10.9.0.2", "red"), peer("10.77.0.3", "10.9.0.3", "blue")};
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "10.9.0.1 -> 10.9.0.2");
    EXPECT_EQ(path("b", "10.77.0.1", "10.77.0.3"), "10.9.0.1 -> 10.9.0.3");
}

TEST_F(OverlayMapTest, AnAnnouncedAddressIsTheFirstNetworksAlone) {
    rules_.guests = {{"a", {"red", {}}}, {"b", {"blue", {}}}, {"c", {"blue", {}}}};
    claim("a", "10.9.0.11");
    claim("b", "10.9.0.11");
    claim("c", "10.77.0.3");
    EXPECT_EQ(path("a", "10.9.0.11", "10.9.0.1"), "10.9.0.11 -> 10.9.0.1");
    EXPECT_EQ(path("b", "10.9.0.11", "10.77.0.3"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(path("c", "10.77.0.3", "10.9.0.11"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, AnAddressAnnouncedForAnotherNetworkIsUnknown) {
    rules_.guests = {{"a", {"red", {}}}, {"b", {"blue", {}}}};
    claim("a", "10.77.0.1");
    claim("b", "10.9.0.12");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.12"), "ENETUNREACH");
}

TEST_F(OverlayMapTest, NoGuestTakesTheHostsDefaultGidFromOthers) {
    rules_.guests = {{"a", {"red", {}}}, {"b", {"blue", {}}}};
    claim("a", "10.77.0.1");
    claim("b", "10.9.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1");
}

// VLANs of guests.

TEST_F(OverlayMapTest, AVlanIsANetworkOfItsOwn) {
    map().claim("a", gid("10.77.5.1"), 5);
    map().claim("b", gid("10.77.5.2"), 5);
    map().claim("b", gid("10.77.7.2"), 7);
    claim("b", "10.77.0.2");
    const auto from_5 = [&](const char* to) {
        return text_of(map().path("a", gid("10.77.5.1"), gid(to), 5));
    };
    EXPECT_EQ(from_5("10.77.5.2"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(from_5("10.77.7.2"), "ENETUNREACH");
    EXPECT_EQ(from_5("10.77.0.2"), "ENETUNREACH");
    EXPECT_THAT(reason_, HasSubstr("and network = \".5\""));
    EXPECT_EQ(from_5("10.9.0.1"), "ENETUNREACH") << "the host is in no VLAN of a guest's";
}

TEST_F(OverlayMapTest, TwoVlansCanHaveOneAddress) {
    map().claim("a", gid("10.77.0.1"), 5);
    EXPECT_EQ(map().claim("b", gid("10.77.0.1"), 7), "b");
    EXPECT_EQ(map().claim("b", gid("10.77.0.1"), 5), "a");
    map().release("b", gid("10.77.0.1"), 7);
    EXPECT_EQ(text_of(map().path("a", gid("10.77.0.1"), gid("10.77.0.1"), 5)),
              "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(text_of(map().path("b", gid("10.77.0.1"), gid("10.77.0.1"), 5)), "EADDRINUSE");
}

TEST_F(OverlayMapTest, PeersOfAVlanAreConfiguredByItsNetwork) {
    rules_.guests = {{"a", {"red"}}};
    rules_.peers = {peer("10.77.0.3", "10.9.0.2", "red.5")};
    map().claim("a", gid("10.77.0.1"), 5);
    EXPECT_EQ(text_of(map().path("a", gid("10.77.0.1"), gid("10.77.0.3"), 5)),
              "10.9.0.1 -> 10.9.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "ENETUNREACH");
}

// Two guests, one address.

TEST_F(OverlayMapTest, TheFirstGuestKeepsAnAddress) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(map().claim("b", gid("10.77.0.1")), "a");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(path("b", "10.77.0.1", "10.9.0.1"), "EADDRINUSE");
    EXPECT_THAT(reason_, HasSubstr("the guest 'a' has 10.77.0.1 already"));
}

TEST_F(OverlayMapTest, TheSecondGuestGetsItWhenTheFirstLetsGo) {
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.1");
    map().release("a", gid("10.77.0.1"));
    EXPECT_EQ(path("b", "10.77.0.1", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, AGuestThatHasAnAddressTwiceKeepsItsPlace) {
    claim("a", "10.77.0.1");
    claim("b", "10.77.0.1");
    claim("a", "10.77.0.1");
    map().release("a", gid("10.77.0.1"));
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(path("b", "10.77.0.1", "10.9.0.1"), "EADDRINUSE");
}

TEST_F(OverlayMapTest, LinkLocalAddressesMayClash) {
    claim("a", "fe80::1");
    claim("b", "fe80::1");
    EXPECT_EQ(path("b", "fe80::1", "fe80::1"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(OverlayMapTest, ALinkLocalAddressIsNeverAnnounced) {
    claim("a", "fe80::a");
    EXPECT_EQ(path("a", "fe80::a", "fe80::a"), "10.9.0.1 -> 10.9.0.1");
}

// The table of the host.

TEST_F(OverlayMapTest, AnUnknownDestinationIsLookedForInAFreshTable) {
    claim("a", "10.77.0.1");
    sysfs_.set_gid("rxe0", 5, "10.9.0.99");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.99"), "10.9.0.1 -> 10.9.0.99");
}

TEST_F(OverlayMapTest, AGuestCannotHaveTheTableReadAllTheTime) {
    claim("a", "10.77.0.1");
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.9"), "ENETUNREACH");
    sysfs_.set_gid("rxe0", 5, "10.9.0.99");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.99"), "ENETUNREACH");
    now_ += std::chrono::seconds(1);
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.99"), "10.9.0.1 -> 10.9.0.99");
}

TEST_F(OverlayMapTest, AnAddressIsAnnouncedAsSoonAsTheTableHasIt) {
    claim("a", "10.9.0.20");
    EXPECT_EQ(path("a", "10.9.0.20", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1");
    sysfs_.set_gid("rxe0", 5, "10.9.0.20");
    host_->refresh();
    EXPECT_EQ(path("a", "10.9.0.20", "10.9.0.1"), "10.9.0.20 -> 10.9.0.1");
}

// Guests' threads run beside the one that reads the table again; for the thread sanitizer, too.
TEST_F(OverlayMapTest, GuestsComeAndGoWhileOthersAskForPaths) {
    claim("a", "10.9.0.11");
    std::atomic<bool> over{false};
    std::jthread changing([&] {
        for (int i = 0; i < 200; ++i) {
            map().claim("b", gid("10.9.0.12"));
            host_->refresh();
            map().release("b", gid("10.9.0.12"));
        }
        over = true;
    });
    do {
        // The host's RNIC has the address, whether b has it or not.
        const auto found = map().path("a", gid("10.9.0.11"), gid("10.9.0.12"));
        ASSERT_TRUE(found.has_value());
        EXPECT_EQ(found->dgid, gid("10.9.0.12"));
    } while (!over);
}

// The guest's name of the peer at an underlay GID, or the name of the error.
class AddressNameTest : public OverlayMapTest {
  protected:
    std::string name(const std::string& underlay) {
        if (!map_) claim("a", "10.77.0.1");
        const auto found = map().name_of("a", gid("10.77.0.1"), gid(underlay));
        if (!found) return ::strerrorname_np(to_int(found.error().error));
        // The inverse of the path.
        EXPECT_EQ(map().path("a", gid("10.77.0.1"), *found)->dgid, gid(underlay));
        return to_string(*found);
    }
};

TEST_F(AddressNameTest, AnAddressOfTheHostIsItself) {
    EXPECT_EQ(name("10.9.0.1"), "10.9.0.1");
}

TEST_F(AddressNameTest, AnAnnouncedGuestIsItself) {
    claim("b", "10.9.0.12");
    EXPECT_EQ(name("10.9.0.12"), "10.9.0.12");
}

TEST_F(AddressNameTest, AnUnknownAddressHasNone) {
    EXPECT_EQ(name("10.9.0.2"), "ENETUNREACH");
}

TEST_F(AddressNameTest, ThePeerAloneBehindAnAddressGivesItsName) {
    rules_.peers = {peer("10.77.0.50", "10.9.0.2")};
    EXPECT_EQ(name("10.9.0.2"), "10.77.0.50");
}

TEST_F(AddressNameTest, SeveralPeersBehindAnAddressAreTheAddress) {
    rules_.peers = {peer("10.77.0.50", "10.9.0.2"), peer("10.77.0.51", "10.9.0.2")};
    EXPECT_EQ(name("10.9.0.2"), "10.9.0.2");
    rules_.peers = {peer("10.77.1.0/24", "10.9.0.3")};
    map_.reset();
    EXPECT_EQ(name("10.9.0.3"), "10.9.0.3");
}

TEST_F(AddressNameTest, PeersOfAnotherNetworkGiveNoName) {
    rules_.peers = {peer("10.77.0.50", "10.9.0.2", "blue")};
    EXPECT_EQ(name("10.9.0.2"), "ENETUNREACH");
}

}  // namespace
}  // namespace vrdma::uverbs
