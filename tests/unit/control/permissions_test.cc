// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Who may do what, by users and groups that no host has.
#include "control/permissions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <optional>
#include <thread>
#include <vector>

#include "control/control_socket.h"
#include "control_fixture.h"

namespace vrdma::daemon {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr uid_t kSomebody = 64101;
constexpr gid_t kReaders = 64201;
constexpr gid_t kAdministrators = 64202;
constexpr gid_t kOthers = 64203;

class PermissionsTest : public ControlTest {
  protected:
    void SetUp() override {
        if (::geteuid() != 0) {
            GTEST_SKIP() << "only root can be somebody else";
        }
        std::filesystem::permissions(folder_, std::filesystem::perms(0755));
    }

    // A client that connected as somebody else.  The kernel has credentials for each thread, and
    // the C library's functions would change those of all.
    ControlClient client_as(uid_t user, gid_t group, const std::vector<gid_t>& groups) {
        std::optional<ControlClient> client;
        std::thread([&] {
            EXPECT_EQ(::syscall(SYS_setgroups, groups.size(), groups.data()), 0);
            EXPECT_EQ(::syscall(SYS_setresgid, group, group, group), 0);
            EXPECT_EQ(::syscall(SYS_setresuid, user, user, user), 0);
            client.emplace(path());
        }).join();
        return std::move(*client);
    }

    static constexpr control::Permissions kBoth{.readers = kReaders,
                                                .administrators = kAdministrators};
};

TEST_F(PermissionsTest, AReaderSeesAndChangesNothing) {
    serve(kBoth);
    ControlClient reader = client_as(kSomebody, kOthers, {kReaders});
    const json version = reader.result("version");
    EXPECT_EQ(version.at("access"), "reader");
    const json methods = version.at("capabilities").at("methods");
    const json parameters{{"guest", "a"},
                          {"limits", json::object()},
                          {"level", "info"},
                          {"configuration", json::object()}};
    for (const control::Method& method : control_->dispatcher().methods()) {
        json given = json::object();
        for (const control::Parameter& parameter : method.parameters) {
            if (parameter.required) {
                given[std::string(parameter.name)] = parameters.at(std::string(parameter.name));
            }
        }
        const bool allowed = method.access == control::Access::kReader;
        EXPECT_EQ(methods.dump().find("\"" + std::string(method.name) + "\"") != std::string::npos,
                  allowed)
            << method.name;
        const json answer = reader.ask(std::string(method.name), given);
        EXPECT_EQ(answer.contains("result"), allowed) << answer;
        if (!allowed) {
            const json& error = answer.at("error");
            EXPECT_EQ(error.at("code"), control::kNotPermitted);
            EXPECT_EQ(error.at("data").at("needed"), "administrator");
            EXPECT_THAT(error.at("message").get<std::string>(),
                        HasSubstr("for administrators, root and vrdmad's own user, and the members "
                                  "of the group 64202"));
        }
    }
}

TEST_F(PermissionsTest, AMemberOfTheAdministratorsMayDoEverything) {
    serve(kBoth);
    for (const bool by_first_group : {true, false}) {
        ControlClient asking = by_first_group
                                   ? client_as(kSomebody, kAdministrators, {})
                                   : client_as(kSomebody, kOthers, {kReaders, kAdministrators});
        EXPECT_EQ(asking.result("version").at("access"), "administrator");
        asking.result("set_limits", {{"guest", "a"}, {"limits", {{"queue_pairs", 3}}}});
    }
}

TEST_F(PermissionsTest, EverybodyElseIsTurnedAwayWithASentence) {
    serve(kBoth);
    ControlClient stranger = client_as(kSomebody, kOthers, {kOthers + 1});
    stranger.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"list\"}\n");
    const json error = stranger.document().at("error");
    EXPECT_EQ(error.at("code"), control::kNotPermitted);
    EXPECT_THAT(error.at("message").get<std::string>(),
                HasSubstr("the user 64101 may not ask vrdmad: readers are the members of the group "
                          "64201"));
    EXPECT_EQ(stranger.line(), "");
}

TEST_F(PermissionsTest, WithoutGroupsTheKernelTurnsOthersAway) {
    serve();
    struct stat status {};
    ASSERT_EQ(::stat(path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_EQ(client().result("version").at("access"), "administrator");
}

TEST_F(PermissionsTest, ReadersLeaveRoomForAdministrators) {
    serve(kBoth);
    std::vector<ControlClient> readers;
    for (size_t i = 0; i < control::ControlSocket::kMaxReaders; ++i) {
        readers.push_back(client_as(kSomebody, kReaders, {}));
        ASSERT_TRUE(readers.back().ask("version").contains("result")) << i;
    }
    EXPECT_EQ(client_as(kSomebody, kReaders, {}).document().at("error").at("code"),
              control::kTooManyClients);
    EXPECT_TRUE(client().ask("version").contains("result"));
}

}  // namespace
}  // namespace vrdma::daemon
