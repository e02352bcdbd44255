// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Guests that come, go and are drained by the control socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control_fixture.h"

namespace vrdma::daemon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class GuestMethodsTest : public ControlTest {
  protected:
    json configuration(const std::string& name) const { return {{"socket", socket_of(name)}}; }
    static std::string message(const json& answer) {
        return answer.contains("error") ? answer["error"].value("message", "") : "";
    }
};

TEST_F(GuestMethodsTest, AGuestThatIsAddedIsServedWithItsConfiguration) {
    config_.limits.completion_queues = 77;
    serve();
    ControlClient asking = client();
    json wanted = configuration("c");
    wanted["mac"] = "52:54:00:00:00:03";
    wanted["gids"] = {"10.77.0.3", "fd00::/64"};
    wanted["network"] = "red";
    wanted["limits"] = {{"queue_pairs", 5}};
    const json result = asking.result("add", {{"guest", "c"}, {"configuration", wanted}});
    EXPECT_THAT(result.at("message").get<std::string>(), HasSubstr("until vrdmad ends"));
    const json guest = asking.result("show", {{"guest", "c"}});
    EXPECT_EQ(guest.at("socket"), socket_of("c"));
    EXPECT_EQ(guest.at("configuration").at("mac"), "52:54:00:00:00:03");
    EXPECT_EQ(guest.at("configuration").at("network"), "red");
    EXPECT_EQ(guest.at("configuration").at("gids").size(), 2U);
    EXPECT_EQ(guest.at("limits").at("queue_pairs").at("limit"), 5);
    EXPECT_EQ(guest.at("limits").at("completion_queues").at("limit"), 77) << "[limits]";
    test::FakeVmm vmm(socket_of("c"));
    EXPECT_GT(vmm.ask_u64(vhost::Request::kGetQueueNum), 0U);
}

TEST_F(GuestMethodsTest, WhatCannotBeAddedChangesNothingAndSaysWhy) {
    serve();
    ControlClient asking = client();
    const auto add = [&](const std::string& name, const json& wanted) {
        return asking.ask("add", {{"guest", name}, {"configuration", wanted}});
    };
    EXPECT_THAT(message(add("a", configuration("c"))), HasSubstr("machines are named 'a'"));
    EXPECT_THAT(message(add("c", configuration("a"))), HasSubstr("machines have the socket"));
    EXPECT_THAT(message(add("c", {{"socket", path()}})), HasSubstr("control socket"));
    EXPECT_THAT(message(add("c", json::object())), HasSubstr("has no 'socket'"));
    EXPECT_THAT(message(add("", configuration("c"))), HasSubstr("empty name"));
    EXPECT_THAT(message(add("c", {{"socket", (folder_ / "no" / "c").string()}})),
                HasSubstr("No such file or directory"));
    json wanted = configuration("c");
    wanted["name"] = "d";
    EXPECT_THAT(message(add("c", wanted)), HasSubstr("leave 'name' out"));
    wanted = configuration("c");
    wanted["colour"] = "red";
    EXPECT_THAT(message(add("c", wanted)), HasSubstr("unknown key 'colour' in [[vm]]"));
    wanted = configuration("c");
    wanted["limits"] = {{"queue_pairs", "many"}};
    EXPECT_THAT(message(add("c", wanted)), HasSubstr("'queue_pairs' must be an integer from 1"));
    wanted = configuration("c");
    wanted["mac"] = nullptr;
    EXPECT_NE(message(add("c", wanted)), "");
    wanted = configuration("c");
    wanted["mac"] = "\"\n[[vm]]\nname = \"d";
    EXPECT_THAT(message(add("c", wanted)), HasSubstr("is no MAC address"));
    EXPECT_EQ(asking.result("list").at("guests").size(), 2U);
    EXPECT_FALSE(std::filesystem::exists(socket_of("c")));
}

TEST_F(GuestMethodsTest, AGuestThatIsRemovedIsDisconnectedAndItsSocketIsGone) {
    serve();
    test::FakeVmm vmm(socket_of("b"));
    EXPECT_GT(vmm.ask_u64(vhost::Request::kGetQueueNum), 0U);
    ControlClient asking = client();
    asking.result("remove", {{"guest", "b"}});
    vmm.wait_disconnected();
    EXPECT_FALSE(std::filesystem::exists(socket_of("b")));
    EXPECT_EQ(asking.result("list").at("guests").size(), 1U);
    EXPECT_EQ(asking.error("remove", {{"guest", "b"}}), control::kUnknownGuest);
    asking.result("remove", {{"guest", "a"}});
    EXPECT_EQ(message(asking.ask("remove", {{"guest", "a"}})),
              "there is no guest 'a'; there is none at all");
}

TEST_F(GuestMethodsTest, TheFileIsTheTruthAfterAReload) {
    file_ = folder_ / "vrdmad.toml";
    std::ofstream(file_) << "[[vm]]\nname = \"a\"\nsocket = \"" << socket_of("a") << "\"\n";
    serve();
    ControlClient asking = client();
    const json added =
        asking.result("add", {{"guest", "c"}, {"configuration", configuration("c")}});
    EXPECT_THAT(added.at("message").get<std::string>(), HasSubstr("until the next reload"));
    asking.result("remove", {{"guest", "a"}});
    const json result = asking.result("reload");
    EXPECT_EQ(result.at("added"), json::array({"a"}));
    EXPECT_EQ(result.at("removed"), (json{"b", "c"}));
}

TEST_F(GuestMethodsTest, AGuestThatIsDrainedKeepsItsVmmAndGetsNoOther) {
    serve();
    ControlClient asking = client();
    {
        test::FakeVmm vmm(socket_of("b"));
        EXPECT_GT(vmm.ask_u64(vhost::Request::kGetQueueNum), 0U);
        const json guest = asking.result("drain", {{"guest", "b"}});
        EXPECT_EQ(guest.at("drained"), true);
        EXPECT_EQ(guest.at("limits").at("contexts").at("limit"), 0);
        EXPECT_EQ(guest.at("limits").at("queue_pairs").at("limit"), 0);
        EXPECT_NE(guest.at("limits").at("memory_regions").at("limit"), 0);
        EXPECT_GT(vmm.ask_u64(vhost::Request::kGetQueueNum), 0U);
    }
    test::FakeVmm second(socket_of("b"));
    second.wait_disconnected();
    EXPECT_EQ(asking.result("list").at("guests").at(0).at("drained"), false) << "the other one";

    // New limits count when the guest is drained no more.
    asking.result("set_limits", {{"guest", "b"}, {"limits", {{"queue_pairs", 9}}}});
    EXPECT_EQ(asking.result("show", {{"guest", "b"}}).at("limits").at("queue_pairs").at("limit"),
              0);
    const json after = asking.result("drain", {{"guest", "b"}, {"off", true}});
    EXPECT_EQ(after.at("drained"), false);
    EXPECT_EQ(after.at("limits").at("queue_pairs").at("limit"), 9);
    test::FakeVmm third(socket_of("b"));
    EXPECT_GT(third.ask_u64(vhost::Request::kGetQueueNum), 0U);
    EXPECT_EQ(asking.error("drain", {{"guest", "c"}}), control::kUnknownGuest);
}

}  // namespace
}  // namespace vrdma::daemon
