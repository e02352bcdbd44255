// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Each method of the control socket, by a client that may call it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control_fixture.h"

namespace vrdma::daemon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

using MethodsTest = ControlTest;

TEST_F(MethodsTest, TheVersionSaysWhatTheClientCanDo) {
    serve();
    const json version = client().result("version");
    EXPECT_EQ(version.at("version"), VRDMA_VERSION);
    EXPECT_EQ(version.at("protocol"), control::kProtocolVersion);
    EXPECT_EQ(version.at("access"), "administrator") << "the daemon's own user";
    EXPECT_EQ(version.at("capabilities").at("methods").size(),
              control_->dispatcher().methods().size());
    EXPECT_EQ(version.at("capabilities").at("events").size(), std::size(kEventKinds));
}

TEST_F(MethodsTest, TheListHasEveryGuestAndWhetherItsVmmIsThere) {
    serve();
    ControlClient asking = client();
    asking.result("events", {{"follow", true}});
    const test::FakeVmm vmm(socket_of("b"));
    EXPECT_EQ(asking.document().at("params").at("event"), "connected");
    const json guests = asking.result("list").at("guests");
    ASSERT_EQ(guests.size(), 2U);
    EXPECT_EQ(
        guests[0],
        (json{
            {"name", "a"}, {"connected", false}, {"drained", false}, {"socket", socket_of("a")}}));
    EXPECT_EQ(guests[1].at("connected"), true);
}

TEST_F(MethodsTest, AGuestIsShownWithItsConfiguration) {
    config_.vms[1].mac = {0x52, 0x54, 0, 1, 2, 0xff};
    config_.vms[1].addresses.network = "red";
    config_.vms[1].addresses.gids = {*uverbs::parse_gid_prefix("10.77.0.0/24")};
    config_.vms[1].addresses.pkeys = {0x8001};
    serve();
    const json guest = client().result("show", {{"guest", "b"}});
    EXPECT_EQ(guest.at("name"), "b");
    EXPECT_EQ(guest.at("objects").at("queue_pairs"), 0);
    EXPECT_FALSE(guest.contains("window")) << "an old name";
    const json& configuration = guest.at("configuration");
    EXPECT_EQ(configuration.at("mac"), "52:54:00:01:02:ff");
    EXPECT_EQ(configuration.at("network"), "red");
    EXPECT_THAT(configuration.at("gids").at(0).get<std::string>(), HasSubstr("10.77.0.0"));
    EXPECT_EQ(configuration.at("pkeys"), json::array({"0x8001"}));
}

TEST_F(MethodsTest, AnUnknownGuestIsAnErrorWithTheNamesThatThereAre) {
    serve();
    for (const json& answer :
         {client().ask("show", {{"guest", "c"}}), client().ask("limits", {{"guest", "c"}}),
          client().ask("set_limits", {{"guest", "c"}, {"limits", json::object()}})}) {
        const json& error = answer.at("error");
        EXPECT_EQ(error.at("code"), control::kUnknownGuest);
        EXPECT_EQ(error.at("message"), "there is no guest 'c'; there are a, b");
        EXPECT_EQ(error.at("data").at("guests"), (json{"a", "b"}));
    }
}

TEST_F(MethodsTest, TheStatsHaveWhatTheStatusHas) {
    serve();
    const json stats = client().result("stats");
    EXPECT_GT(stats.at("time_ns"), 0);
    EXPECT_EQ(stats.at("rnic").at("name"), "fake0");
    EXPECT_EQ(stats.at("rnic").at("objects"), json::parse(server_->status()).at("rnic_objects"));
    json of_status = json::parse(server_->status()).at("vms");
    for (json& guest : of_status) {
        guest.erase("window");
        guest["objects"].erase("connection_files");
    }
    EXPECT_EQ(stats.at("guests"), of_status);
}

TEST_F(MethodsTest, LimitsAreReadAndSetForOneGuest) {
    serve();
    ControlClient asking = client();
    EXPECT_EQ(asking.result("limits").at("guests").size(), 2U);
    const json before = asking.result("limits", {{"guest", "b"}}).at("guests");
    ASSERT_EQ(before.size(), 1U);
    const json after = asking.result(
        "set_limits",
        {{"guest", "b"}, {"limits", {{"queue_pairs", 5}, {"commands_per_second", 100}}}});
    const json& limits = after.at("guests").at(0).at("limits");
    EXPECT_EQ(limits.at("queue_pairs").at("limit"), 5);
    EXPECT_EQ(limits.at("commands_per_second").at("limit"), 100);
    EXPECT_EQ(limits.at("memory_regions"), before[0].at("limits").at("memory_regions"));
    const json other = asking.result("limits", {{"guest", "a"}}).at("guests").at(0);
    EXPECT_NE(other.at("limits").at("queue_pairs").at("limit"), 5);
    // What was set is what the next change starts from.
    asking.result("set_limits", {{"guest", "b"}, {"limits", {{"weight", 3}}}});
    const json last = asking.result("limits", {{"guest", "b"}}).at("guests").at(0).at("limits");
    EXPECT_EQ(last.at("queue_pairs").at("limit"), 5);
    EXPECT_EQ(last.at("weight").at("limit"), 3);
}

TEST_F(MethodsTest, ALimitThatCannotBeChangesNothing) {
    serve();
    ControlClient asking = client();
    const json before = asking.result("limits");
    const json impossible[] = {json{{"queue_pairs", 1}, {"queue_pair", 5}},
                               json{{"queue_pairs", 0}},
                               json{{"queue_pairs", -1}},
                               json{{"queue_pairs", 1.5}},
                               json{{"queue_pairs", "5"}},
                               json{{"queue_pairs", 65537}},
                               json{{"weight", 1001}},
                               json{{"registered_bytes", 18446744073709551615U}}};
    for (const json& limits : impossible) {
        EXPECT_EQ(asking.error("set_limits", {{"guest", "a"}, {"limits", limits}}),
                  control::kInvalidParameters)
            << limits;
    }
    EXPECT_EQ(asking.result("limits"), before);
}

TEST_F(MethodsTest, LimitsThatAnRnicOfTheHostCannotKeepAreRefused) {
    config_.rnic = "rxe0";
    serve();
    ControlClient asking = client();
    EXPECT_EQ(
        asking.error("set_limits", {{"guest", "a"}, {"limits", {{"bytes_per_second", 1000000}}}}),
        control::kRefused);
    asking.result("set_limits", {{"guest", "a"}, {"limits", {{"queue_pairs", 4}}}});
}

TEST_F(MethodsTest, TheLogLevelOfOneSubsystemChanges) {
    serve();
    ControlClient asking = client();
    const json levels = asking.result("set_log_level", {{"level", "debug"}, {"subsystem", "rnic"}})
                            .at("subsystems");
    EXPECT_EQ(levels,
              (json{{"daemon", "info"}, {"rnic", "debug"}, {"device", "info"}, {"vhost", "info"}}));
    levels_.logger("rnic")->debug("of the RNIC");
    levels_.logger("vhost")->debug("of vhost");
    EXPECT_EQ(log_.count("of the RNIC"), 1U);
    EXPECT_EQ(log_.count("of vhost"), 0U);
    EXPECT_EQ(asking.error("set_log_level", {{"level", "loud"}}), control::kInvalidParameters);
    EXPECT_EQ(asking.error("set_log_level", {{"level", "off"}, {"subsystem", "x"}}),
              control::kInvalidParameters);
    asking.result("set_log_level", {{"level", "warning"}});
    EXPECT_EQ(asking.result("log_level").at("subsystems").at("vhost"), "warning");
}

TEST_F(MethodsTest, AReloadTakesLimitsAndLevelAndSaysWhatStays) {
    file_ = folder_ / "vrdmad.toml";
    serve();
    ControlClient asking = client();
    std::ofstream(file_) << "[daemon]\nlog_level = \"debug\"\n[rnic]\nthreads = 2\n[[vm]]\n"
                            "name = \"a\"\nsocket = \""
                         << socket_of("a") << "\"\n[vm.limits]\nqueue_pairs = 5\n";
    const json result = asking.result("reload");
    EXPECT_EQ(result.at("message"),
              "the virtual machines and limits are those of " + file_ + " now; gone: b");
    EXPECT_THAT(result.at("unchanged").dump(), HasSubstr("[rnic] cannot change"));
    EXPECT_EQ(result.at("removed"), json::array({"b"}));
    EXPECT_EQ(result.at("added"), json::array());
    EXPECT_FALSE(std::filesystem::exists(socket_of("b")));
    EXPECT_EQ(log_.count("reload: the virtual machines and limits are those of"), 1U);
    EXPECT_EQ(asking.result("log_level").at("subsystems").at("device"), "debug");
    const json limits = asking.result("limits", {{"guest", "a"}}).at("guests").at(0).at("limits");
    EXPECT_EQ(limits.at("queue_pairs").at("limit"), 5);
}

TEST_F(MethodsTest, AReloadOfAFileWithAMistakeChangesNothingAndNamesTheLine) {
    file_ = folder_ / "vrdmad.toml";
    serve();
    ControlClient asking = client();
    const json before = asking.result("limits");
    std::ofstream(file_) << "[limits]\nqueue_pairs = 5\nqueue_pair = 5\n";
    const json error = asking.ask("reload").at("error");
    EXPECT_EQ(error.at("code"), control::kRefused);
    EXPECT_THAT(error.at("message").get<std::string>(),
                HasSubstr("nothing has changed: " + file_ + ":3:"));
    EXPECT_EQ(asking.result("limits"), before);
}

TEST_F(MethodsTest, ANameIsToldWhateverBytesItHas) {
    config_.vms[0].name = "a\xff\"";
    serve();
    EXPECT_EQ(client().result("list").at("guests").at(1).at("name"), "b");
}

}  // namespace
}  // namespace vrdma::daemon
