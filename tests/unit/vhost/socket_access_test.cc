// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/socket_access.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "test_server.h"

namespace vrdma::test {
namespace {

using testing::HasSubstr;
using vhost::Request;

// Users and groups that no host has.
constexpr uid_t kOwner = 64101;
constexpr uid_t kStranger = 64102;

class SocketAccessTest : public testing::Test {
  protected:
    // Whether a process that has first become somebody is served.
    static bool served_as(const TestServer& server, const std::function<bool()>& become) {
        const pid_t child = ::fork();
        if (child == 0) {
            if (!become()) {
                ::_exit(2);
            }
            FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            server.path().copy(address.sun_path, sizeof(address.sun_path) - 1);
            const vhost::VuHeader ask{static_cast<uint32_t>(Request::kGetFeatures), vhost::kVersion,
                                      0};
            char answer[64];
            const bool served =
                ::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
                    0 &&
                ::send(socket.get(), &ask, sizeof(ask), MSG_NOSIGNAL) == sizeof(ask) &&
                ::recv(socket.get(), answer, sizeof(answer), 0) > 0;
            ::_exit(served ? 0 : 1);
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_NE(WEXITSTATUS(status), 2) << "the process could not change its credentials";
        return WEXITSTATUS(status) == 0;
    }

    static bool become(uid_t user, gid_t group, std::vector<gid_t> groups = {}) {
        return ::setgroups(groups.size(), groups.data()) == 0 &&
               ::setresgid(group, group, group) == 0 && ::setresuid(user, user, user) == 0;
    }

    // Lets everybody reach the socket's folder, so that the socket's own rules decide.
    static void open_folder(const TestServer& server) {
        const std::string folder = server.path().substr(0, server.path().rfind('/'));
        ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
    }
};

TEST_F(SocketAccessTest, TheUserOfTheSocketIsServed) {
    TestServer server({.mode = 0600, .user = ::geteuid(), .group = ::getegid()});
    FakeVmm vmm(server.path());
    EXPECT_EQ(vmm.ask_u64(Request::kGetQueueNum), TestDevice::kQueues);
}

TEST_F(SocketAccessTest, AnotherUserIsTurnedAwayBeforeItsFirstMessage) {
    TestServer server({.mode = 0666, .user = ::geteuid() + 1});
    FakeVmm vmm(server.path());
    vmm.wait_disconnected();
    EXPECT_EQ(server.device().state().connected, 0u);
    EXPECT_EQ(server.log().count("a VMM is turned away: process " + std::to_string(::getpid()) +
                                 " is of the user " + std::to_string(::geteuid()) +
                                 ", and this socket is the user " +
                                 std::to_string(::geteuid() + 1) + "'s"),
              1u);
}

TEST_F(SocketAccessTest, WhoIsTurnedAwayTakesNobodysPlace) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root becomes another user";
    }
    TestServer server({.mode = 0666, .user = kOwner});
    open_folder(server);
    FakeVmm stranger(server.path());  // root, which is not the owner either
    stranger.wait_disconnected();
    EXPECT_TRUE(served_as(server, [] { return become(kOwner, kOwner); }));
    EXPECT_FALSE(served_as(server, [] { return become(kStranger, kOwner); }));
}

TEST_F(SocketAccessTest, TheSocketIsGivenToItsUserAndItsGroup) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root gives files away";
    }
    TestServer server({.mode = 0660, .user = kOwner, .group = kStranger});
    struct stat status {};
    ASSERT_EQ(::stat(server.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, kOwner);
    EXPECT_EQ(status.st_gid, kStranger);
    EXPECT_EQ(status.st_mode & 0777, 0660u);
}

TEST_F(SocketAccessTest, AMemberOfTheGroupIsServedByAnyOfItsGroups) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root becomes another user";
    }
    constexpr gid_t kGroup = 64103;
    TestServer server({.mode = 0666, .group = kGroup});
    open_folder(server);
    EXPECT_TRUE(served_as(server, [] { return become(kOwner, kGroup); }));
    EXPECT_TRUE(served_as(server, [] { return become(kOwner, kOwner, {kStranger, kGroup}); }));
    EXPECT_FALSE(served_as(server, [] { return become(kOwner, kOwner, {kStranger}); }));
    EXPECT_FALSE(served_as(server, [] { return become(kOwner, kOwner); }));
    EXPECT_THAT(server.log().str(), HasSubstr("is not in the group 64103, whose this socket is"));
}

TEST_F(SocketAccessTest, ADaemonThatMayNotGiveTheSocketAwaySaysWhatToDo) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root becomes another user";
    }
    TemporaryFolder folder;
    ASSERT_EQ(::chmod(folder.file("").c_str(), 0777), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        CapturedLog log;
        TestDevice device;
        bool said = false;
        bool group_refused = false;
        if (become(kStranger, kStranger)) {
            {
                vhost::Listener listener(folder.file("a"), {.mode = 0660, .user = kOwner}, device,
                                         log.logger());
                said = log.count("cannot be given to the user 64101") == 1;
                vhost::Listener reachable(folder.file("b"), {.mode = 0666, .user = kOwner}, device,
                                          log.logger());
                said = said && log.count("cannot be given to the user") == 1;
            }
            try {
                vhost::Listener listener(folder.file("c"), {.mode = 0660, .group = kOwner}, device,
                                         log.logger());
            } catch (const std::runtime_error& error) {
                group_refused =
                    std::string(error.what()).find("SupplementaryGroups=") != std::string::npos &&
                    ::access(folder.file("c").c_str(), F_OK) != 0;
            }
        }
        ::_exit(said && group_refused ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace vrdma::test
