// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Machines with addresses of their own: a has fe80::a1, b has fe80::b1, c (network blue) fe80::c1,
// and d has none.  The host RNIC has fe80::1 and 10.9.0.1 (the default), 10.9.0.12 announced for b
// by the operator.
#include "rnic/uverbs/addressing/announcements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rnic/uverbs/addressing/guest_addresses.h"
#include "rnic/uverbs/addressing/listen_places.h"
#include "support/captured_log.h"
#include "unit/uverbs/fakes/fake_netdev.h"
#include "vrdma_commands.h"

namespace vrdma::uverbs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AnnouncementsTest : public testing::Test {
  protected:
    AnnouncementsTest() {
        sysfs_.add_rnic("rxe0");
        sysfs_.set_gid("rxe0", 0, "fe80::1");
        sysfs_.set_gid("rxe0", 1, "10.9.0.1");
        sysfs_.set_gid("rxe0", 2, "10.9.0.12");
        rules_.guests = {{"a", {"", {}, gid("fe80::a1")}},
                         {"b", {"", {}, gid("fe80::b1")}},
                         {"c", {"blue", {}, gid("fe80::c1")}},
                         {"d", {}}};
    }

    OverlayMap& map() {
        if (!map_) {
            map_ = std::make_shared<OverlayMap>(
                rules_, std::make_shared<HostGidTable>("rxe0", 1, sysfs_.sysfs()), netdev_.netdev(),
                logger_, [this] { return now_; });
        }
        return *map_;
    }
    GuestAddresses& guest(const std::string& name) {
        map();
        auto& addresses = guests_[name];
        if (!addresses) addresses = std::make_unique<GuestAddresses>(name, map_, logger_);
        return *addresses;
    }
    void has(const std::string& name, const std::vector<std::string>& addresses) {
        for (uint32_t index = 0; index < addresses.size(); ++index) {
            EXPECT_TRUE(guest(name).add_gid(index, gid(addresses[index]), VRDMA_GID_TYPE_ROCE_V2));
        }
    }

    // The path as "SOURCE -> DESTINATION", or the name of the error.
    std::string path(const std::string& name, const std::string& source,
                     const std::string& destination) {
        const auto found = map().path(name, gid(source), gid(destination));
        if (!found) return ::strerrorname_np(to_int(found.error().error));
        return to_string(found->sgid) + " -> " + to_string(found->dgid);
    }
    std::string name_of(const std::string& name, const std::string& source,
                        const std::string& underlay) {
        const auto found = map().name_of(name, gid(source), gid(underlay));
        return found ? to_string(*found) : ::strerrorname_np(to_int(found.error().error));
    }
    std::vector<std::string> places(const std::string& name, const std::string& local) {
        std::vector<std::string> text;
        for (const auto& place : listen_places(guest(name), socket_address(gid(local), 7), false)) {
            text.push_back(to_string(place.guest) + " at " + to_string(place.underlay) +
                           (place.shared ? ", shared" : "") + (place.needed ? "" : ", not needed"));
        }
        return text;
    }

    test::CapturedLog log_;
    std::shared_ptr<spdlog::logger> logger_ = log_.logger();
    FakeSysfs sysfs_;
    FakeNetdev netdev_{sysfs_};
    AddressRules rules_;
    std::shared_ptr<OverlayMap> map_;
    std::chrono::steady_clock::time_point now_{};
    std::map<std::string, std::unique_ptr<GuestAddresses>> guests_;
};

TEST_F(AnnouncementsTest, AnAddressIsAnnouncedWhenItIsFirstNeeded) {
    has("a", {"fe80::a1", "10.77.0.1"});
    EXPECT_FALSE(netdev_.has("fe80::a1"));
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "fe80::a1 -> fe80::a1");
    EXPECT_TRUE(netdev_.has("fe80::a1"));
    EXPECT_THAT(log_.str(), HasSubstr("a: the RNIC has its address fe80::a1"));
}

TEST_F(AnnouncementsTest, BothEndsAreAnnouncedBeforeThePathIsTold) {
    has("a", {"fe80::a1", "10.77.0.1"});
    has("b", {"fe80::b1", "10.77.0.2"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.2"), "fe80::a1 -> fe80::b1");
    EXPECT_EQ(path("b", "10.77.0.2", "10.77.0.1"), "fe80::b1 -> fe80::a1");
    EXPECT_EQ(netdev_.added, 2u);
}

TEST_F(AnnouncementsTest, TheGuestsOwnLinkLocalGidIsItsAnnouncedAddress) {
    has("a", {"fe80::a1"});
    has("b", {"fe80::b1"});
    EXPECT_EQ(path("a", "fe80::a1", "fe80::b1"), "fe80::a1 -> fe80::b1");
}

TEST_F(AnnouncementsTest, OtherLinkLocalAddressesAreNotAnnounced) {
    has("a", {"fe80::1", "fe80::b1"});
    has("b", {"fe80::b1"});
    EXPECT_EQ(path("a", "fe80::1", "fe80::b1"), "fe80::a1 -> fe80::b1");
    EXPECT_EQ(path("a", "fe80::b1", "fe80::b1"), "fe80::a1 -> fe80::b1")
        << "b's address is b's, whoever claims it";
}

TEST_F(AnnouncementsTest, TheAddressGoesWithTheMachine) {
    has("a", {"10.77.0.1"});
    path("a", "10.77.0.1", "10.77.0.1");
    guests_.erase("a");
    EXPECT_FALSE(netdev_.has("fe80::a1"));
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "fe80::a1 -> fe80::a1");
}

TEST_F(AnnouncementsTest, AMachineThatIsAdmittedLaterHasItsAddressUntilItIsDismissed) {
    map().admit("e", {.network = "", .announced = gid("fe80::e1")});
    has("e", {"10.77.0.5"});
    EXPECT_EQ(path("e", "10.77.0.5", "10.77.0.5"), "fe80::e1 -> fe80::e1");
    guests_.erase("e");
    map().dismiss("e");
    EXPECT_FALSE(netdev_.has("fe80::e1"));
    has("e", {"10.77.0.5"});
    EXPECT_EQ(path("e", "10.77.0.5", "10.77.0.5"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(AnnouncementsTest, TheAddressOfAMachineThatIsDismissedCanBeAnothers) {
    map().dismiss("a");
    map().admit("f", {.network = "", .announced = gid("fe80::a1")});
    has("f", {"10.77.0.6"});
    EXPECT_EQ(path("f", "10.77.0.6", "10.77.0.6"), "fe80::a1 -> fe80::a1");
}

TEST_F(AnnouncementsTest, ThatAreAdmittedAnewHaveTheNewNetworkAndRules) {
    map().admit("a", {.network = "blue", .allows = [](const rnic::Gid& address) {
                          return address == gid("10.77.0.1");
                      }});
    has("a", {"10.77.0.1"});
    EXPECT_EQ(guest("a").add_gid(1, gid("10.77.0.9"), VRDMA_GID_TYPE_ROCE_V2).error(),
              Errno{EACCES});
    has("b", {"10.77.0.2"});
    EXPECT_NE(path("a", "10.77.0.1", "10.77.0.2"), "10.9.0.1 -> fe80::b1") << "another network";
}

TEST_F(AnnouncementsTest, AnAddressThatTheOperatorAddedStays) {
    netdev_.operators.insert(gid("fe80::a1"));
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "fe80::a1 -> fe80::a1");
    guests_.erase("a");
    EXPECT_TRUE(netdev_.has("fe80::a1"));
}

TEST_F(AnnouncementsTest, AnAddressThatAnotherNodeHasIsLeftToThatNode) {
    netdev_.on_link.insert(gid("fe80::a1"));
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_FALSE(netdev_.has("fe80::a1"));
    EXPECT_THAT(log_.str(), HasSubstr("another node of the RNIC's link has its address"));
    now_ += std::chrono::minutes(1);
    path("a", "10.77.0.1", "10.77.0.1");
    EXPECT_EQ(netdev_.added, 1u) << "not asked for again while the machine is here";
}

TEST_F(AnnouncementsTest, WithoutPermissionTheDefaultIsUsedAndTheLogSaysSo) {
    netdev_.error = EPERM;
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_THAT(log_.str(), HasSubstr("cannot be added to the RNIC's netdev"));
}

TEST_F(AnnouncementsTest, AnAddressThatTheNetdevLostIsAnnouncedAgain) {
    has("a", {"10.77.0.1"});
    path("a", "10.77.0.1", "10.77.0.1");
    netdev_.lose_all();
    now_ += std::chrono::seconds(2);
    path("a", "10.77.0.1", "10.78.0.1");  // reads the table again
    now_ += std::chrono::seconds(2);
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.1"), "fe80::a1 -> fe80::a1");
}

TEST_F(AnnouncementsTest, APeerOfAnotherFamilyIsReachedFromTheDefault) {
    rules_.peers = {{"", *parse_gid_prefix("10.77.0.3"), gid("10.9.0.2")}};
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "10.9.0.1 -> 10.9.0.2");
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.1"), "10.9.0.1 -> 10.9.0.1") << "a process here";
}

TEST_F(AnnouncementsTest, AnotherHostsMachineIsReachedFromTheOwnAddress) {
    rules_.peers = {{"", *parse_gid_prefix("10.77.0.3"), gid("fe80::e1")},
                    {"", *parse_gid_prefix("fd77::3"), gid("fe80::e1")}};
    has("a", {"10.77.0.1"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.3"), "fe80::a1 -> fe80::e1");
    EXPECT_EQ(name_of("a", "10.77.0.1", "fe80::e1"), "10.77.0.3");
    EXPECT_EQ(name_of("a", "fd77::1", "fe80::e1"), "fd77::3");
}

TEST_F(AnnouncementsTest, LinkLocalPeersAreReachedByTheirOwnAddress) {
    rules_.peers = {{"", *parse_gid_prefix("fe80::/64"), {}}};
    has("a", {"fe80::a1"});
    EXPECT_EQ(path("a", "fe80::a1", "fe80::e1"), "fe80::a1 -> fe80::e1");
    EXPECT_EQ(path("a", "fe80::a1", "fe80::c1"), "ENETUNREACH") << "a machine of another network";
}

TEST_F(AnnouncementsTest, AGuestWithoutAnAddressOfItsOwnMeetsOthersAtTheDefault) {
    has("a", {"10.77.0.1"});
    has("d", {"10.77.0.4"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.77.0.4"), "10.9.0.1 -> 10.9.0.1");
    EXPECT_EQ(path("d", "10.77.0.4", "10.77.0.1"), "10.9.0.1 -> 10.9.0.1");
}

TEST_F(AnnouncementsTest, GuestsWhoseAddressesAreOfTwoFamiliesMeetAtTheirOwn) {
    has("a", {"10.77.0.1"});
    has("b", {"10.9.0.12"});
    EXPECT_EQ(path("a", "10.77.0.1", "10.9.0.12"), "fe80::a1 -> fe80::b1");
    EXPECT_EQ(path("b", "10.9.0.12", "10.77.0.1"), "fe80::b1 -> fe80::a1");
}

TEST_F(AnnouncementsTest, AMachineOfAnotherNetworkIsUnknownByItsOwnAddressToo) {
    has("a", {"fe80::a1"});
    has("c", {"fe80::c1", "10.77.0.3"});
    path("c", "10.77.0.3", "10.77.0.3");
    EXPECT_EQ(path("a", "fe80::a1", "fe80::c1"), "ENETUNREACH");
    EXPECT_EQ(name_of("a", "fe80::a1", "fe80::c1"), "ENETUNREACH");
}

TEST_F(AnnouncementsTest, NoMachinesAddressIsTheDefault) {
    sysfs_.clear_gid("rxe0", 1);
    sysfs_.clear_gid("rxe0", 2);
    sysfs_.clear_gid("rxe0", 0);
    has("a", {"10.77.0.1"});
    has("d", {"10.77.0.4"});
    path("a", "10.77.0.1", "10.77.0.1");
    EXPECT_EQ(path("d", "10.77.0.4", "10.77.0.4"), "EAFNOSUPPORT");
}

TEST_F(AnnouncementsTest, APeerIsNamedByItsOverlayAddressOfTheSameFamily) {
    has("a", {"fe80::a1", "10.77.0.1", "fd77::1"});
    has("b", {"fe80::b1", "10.77.0.2", "fd77::2"});
    path("a", "10.77.0.1", "10.77.0.2");
    EXPECT_EQ(name_of("b", "10.77.0.2", "fe80::a1"), "10.77.0.1");
    EXPECT_EQ(name_of("b", "fd77::2", "fe80::a1"), "fd77::1");
    EXPECT_EQ(name_of("b", "fe80::b1", "fe80::a1"), "fe80::a1");
}

TEST_F(AnnouncementsTest, APeerWithSeveralAddressesIsNamedByTheNearest) {
    has("a", {"10.50.0.1", "10.77.0.1"});
    has("b", {"10.77.0.2", "10.50.0.2"});
    path("a", "10.77.0.1", "10.77.0.2");
    EXPECT_EQ(name_of("b", "10.77.0.2", "fe80::a1"), "10.77.0.1");
    EXPECT_EQ(name_of("b", "10.50.0.2", "fe80::a1"), "10.50.0.1");
}

TEST_F(AnnouncementsTest, TheNamesOfARequestAreThoseThatTheAskingGuestGave) {
    has("a", {"10.77.0.9", "10.77.0.1"});
    has("b", {"10.77.0.2", "10.77.0.8"});
    path("a", "10.77.0.1", "10.77.0.8");
    const ConnectionNames::Key key{gid("fe80::a1"), 4711, 0x106};
    const auto names = [&] {
        const auto found = guest("b").names_of_request(key, gid("10.77.0.2"));
        return to_string(found->source) + " -> " + to_string(found->destination);
    };
    {
        const auto asking = guest("a").remember(key, {gid("10.77.0.1"), gid("10.77.0.8")});
        EXPECT_EQ(names(), "10.77.0.1 -> 10.77.0.8");
        const auto another = guest("a").remember(key, {gid("10.77.0.9"), gid("10.77.0.8")});
        EXPECT_EQ(names(), "10.77.0.1 -> 10.77.0.2") << "nobody knows which one it is";
    }
    EXPECT_EQ(names(), "10.77.0.1 -> 10.77.0.2") << "the nearest address";
}

TEST_F(AnnouncementsTest, TheLinkLocalGidOfAVlanMeetsThatOfTheSameVlan) {
    has("a", {"fe80::a1"});
    has("b", {"fe80::b1"});
    ASSERT_TRUE(guest("a").add_gid(5, gid("fe80::a1"), VRDMA_GID_TYPE_ROCE_V2, 5));
    rnic::AhAttributes to_b;
    to_b.dgid = gid("fe80::b1");
    to_b.sgid_index = 5;
    EXPECT_EQ(guest("a").underlay(to_b).error(), Errno{ENETUNREACH});
    ASSERT_TRUE(guest("b").add_gid(5, gid("fe80::b1"), VRDMA_GID_TYPE_ROCE_V2, 5));
    EXPECT_EQ(guest("a").underlay(to_b)->dgid, gid("fe80::b1"));
}

TEST_F(AnnouncementsTest, AListenerIsAtTheOwnAddressAndAtTheDefaultForOtherPeers) {
    has("b", {"fe80::b1", "10.77.0.2", "10.9.0.12"});
    EXPECT_THAT(places("b", "10.77.0.2"),
                ElementsAre("10.77.0.2 at fe80::b1", "10.77.0.2 at 10.9.0.1, shared, not needed"));
    EXPECT_THAT(places("b", "fe80::b1"), ElementsAre("fe80::b1 at fe80::b1"));
    EXPECT_THAT(places("b", "10.9.0.12"),
                ElementsAre("10.9.0.12 at 10.9.0.12", "10.9.0.12 at fe80::b1"));
}

TEST_F(AnnouncementsTest, ASharedPlaceIsNeededWhereAnAddressHasNoOther) {
    has("d", {"10.77.0.4", "10.9.0.12"});
    EXPECT_THAT(places("d", "0.0.0.0"),
                ElementsAre("10.9.0.12 at 10.9.0.12", "10.77.0.4 at 10.9.0.1, shared"));
}

TEST_F(AnnouncementsTest, AListenerAtAnUnspecifiedAddressHasAPlaceBeforeTheGuestHasAddresses) {
    has("a", {"fe80::a1"});
    EXPECT_THAT(places("a", "0.0.0.0"), ElementsAre("0.0.0.0 at fe80::a1"));
    EXPECT_THAT(places("d", "0.0.0.0"), ElementsAre("0.0.0.0 at 10.9.0.1, shared"));
    EXPECT_THAT(places("a", "10.77.0.1"), IsEmpty());
}

}  // namespace
}  // namespace vrdma::uverbs
