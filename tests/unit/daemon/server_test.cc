// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/captured_log.h"
#include "support/fake_rnic.h"
#include "support/fake_vmm.h"

namespace vrdma::daemon {
namespace {

using testing::HasSubstr;

class ServerTest : public testing::Test {
  protected:
    ServerTest() {
        char pattern[] = "/tmp/vrdma-daemon-test-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        config_.status_socket = folder_ / "status.sock";
        config_.vms.push_back(vm("a"));
        config_.vms.push_back(vm("b"));
    }
    ~ServerTest() override { std::filesystem::remove_all(folder_); }

    VmConfig vm(const std::string& name) const {
        VmConfig config;
        config.name = name;
        config.socket = folder_ / (name + ".sock");
        return config;
    }

    std::unique_ptr<Server> serve() {
        auto server =
            std::make_unique<Server>(config_, std::make_unique<device::FakeRnic>(), logger_);
        server->open_status_socket();
        return server;
    }

    std::string error_of_serve() {
        try {
            serve();
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "";
    }

    // The document that the status socket sends.
    std::string ask() const {
        const FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        const std::string path = config_.status_socket.string();
        std::copy(path.begin(), path.end(), address.sun_path);
        EXPECT_EQ(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0);
        std::string answer;
        char part[512];
        ssize_t got;
        while ((got = ::recv(socket.get(), part, sizeof(part), 0)) > 0) {
            answer.append(part, static_cast<size_t>(got));
        }
        return answer;
    }

    std::shared_ptr<spdlog::logger> logger_ = test::silent_logger();
    std::filesystem::path folder_;
    Config config_;
};

TEST_F(ServerTest, TheStatusNamesEveryVirtualMachine) {
    const auto server = serve();
    const auto status = nlohmann::json::parse(ask());
    EXPECT_EQ(status.at("rnic"), "fake0");
    ASSERT_EQ(status.at("vms").size(), 2U);
    EXPECT_EQ(status.at("vms")[1].at("name"), "b");
    EXPECT_EQ(status.at("vms")[1].at("socket"), config_.vms[1].socket.string());
    EXPECT_EQ(status.at("vms")[1].at("connected"), false);
}

TEST_F(ServerTest, TheStatusCountsEveryKindOfObject) {
    const auto server = serve();
    const auto objects = nlohmann::json::parse(ask()).at("vms")[0].at("objects");
    size_t keys = 1;  // registered_bytes
    for (const device::ObjectKind& kind : device::kObjectKinds) {
        EXPECT_EQ(objects.at(kind.key), 0) << kind.key;
        ++keys;
        if (kind.old_key != nullptr) {
            EXPECT_EQ(objects.at(kind.old_key), 0) << kind.old_key;
            ++keys;
        }
    }
    EXPECT_EQ(objects.at("registered_bytes"), 0);
    EXPECT_EQ(objects.at("connection_files"), 0);
    EXPECT_EQ(objects.size(), keys);
}

TEST_F(ServerTest, TheStatusHasEveryLimitAndItsUse) {
    config_.vms[1].limits.queue_pairs = 7;
    const auto server = serve();
    const auto vms = nlohmann::json::parse(ask()).at("vms");
    const auto limits = vms[1].at("limits");
    for (const device::LimitKey& row : device::kLimitKeys) {
        EXPECT_TRUE(limits.at(row.key).contains("limit")) << row.key;
    }
    EXPECT_EQ(limits.size(), std::size(device::kLimitKeys));
    EXPECT_EQ(limits.at("queue_pairs"),
              (nlohmann::json{{"limit", 7}, {"used", 0}, {"reached", 0}}));
    EXPECT_EQ(limits.at("weight"), (nlohmann::json{{"limit", 1}}));
    EXPECT_EQ(limits.at("commands_per_second"), (nlohmann::json{{"limit", 0}, {"reached", 0}}));
}

TEST_F(ServerTest, LimitsChangeWhileItServesForTheVirtualMachineConcerned) {
    const auto server = serve();
    Config wanted = config_;
    wanted.vms[0].limits.queue_pairs = 3;
    wanted.vms[0].limits.weight = 5;
    server->serve(wanted);
    const auto vms = nlohmann::json::parse(ask()).at("vms");
    ASSERT_EQ(vms.size(), 2U);
    EXPECT_EQ(vms[0].at("limits").at("queue_pairs").at("limit"), 3);
    EXPECT_EQ(vms[0].at("limits").at("weight").at("limit"), 5);
    EXPECT_EQ(vms[1].at("limits").at("queue_pairs").at("limit"), 1000) << "the fake RNIC's";
}

TEST_F(ServerTest, TheRnicHearsOfMachinesThatComeAndGoWhenTheyHaveNoPort) {
    auto owned = std::make_unique<device::FakeRnic>();
    device::FakeRnic& rnic = *owned;
    Server server(config_, std::move(owned), logger_);
    server.start();
    test::FakeVmm a(config_.vms[0].socket);
    a.negotiate();
    EXPECT_GT(a.ask_u64(vhost::Request::kGetQueueNum), 0U);
    Config wanted = config_;
    wanted.vms = {vm("b"), vm("c")};
    wanted.vms[1].addresses.network = "red";
    EXPECT_EQ(server.serve(wanted), (Server::Changes{.added = {"c"}, .removed = {"a"}}));
    a.wait_disconnected();
    EXPECT_EQ(rnic.state.admitted, (std::map<std::string, std::string>{{"c", "red"}}));
    EXPECT_EQ(rnic.state.ports_at_dismissal, 0);
    wanted.vms[1].addresses.network = "blue";
    EXPECT_EQ(server.serve(wanted), (Server::Changes{.renewed = {"c"}}));
    EXPECT_EQ(rnic.state.admitted, (std::map<std::string, std::string>{{"c", "blue"}}));
}

TEST_F(ServerTest, TheStatusHasTheSharedMemoryUnderItsOldNameToo) {
    const auto server = serve();
    const auto vm = nlohmann::json::parse(ask()).at("vms")[0];
    EXPECT_EQ(vm.at("shared_memory").at("used"), 0);
    EXPECT_TRUE(vm.at("shared_memory").contains("size"));
    EXPECT_EQ(vm.at("window"), vm.at("shared_memory"));
}

TEST_F(ServerTest, TheStatusOfAVmWithoutAVmmHasNoCounters) {
    const auto server = serve();
    EXPECT_FALSE(nlohmann::json::parse(ask()).at("vms")[0].contains("counters"));
}

TEST_F(ServerTest, TheStatusOfAVmWithoutAVmmHasNoMemoryAndNoLimitOfIt) {
    const auto server = serve();
    const auto memory = nlohmann::json::parse(ask()).at("vms")[0].at("memory");
    EXPECT_EQ(memory.at("page_size"), 0);
    EXPECT_TRUE(memory.at("limit").is_null());
}

TEST_F(ServerTest, TheStatusIsGivenWhateverBytesAreInAName) {
    config_.vms[0].name = "a\xff\"";
    const auto server = serve();
    EXPECT_EQ(nlohmann::json::parse(ask()).at("vms")[1].at("name"), "b");
}

TEST_F(ServerTest, TheStatusSocketIsTheOperatorsAlone) {
    const auto server = serve();
    struct stat status {};
    ASSERT_EQ(::stat(config_.status_socket.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(ServerTest, AStatusSocketInUseIsNotTakenAway) {
    const auto server = serve();
    config_.vms = {vm("c")};
    EXPECT_THAT(error_of_serve(), HasSubstr("is in use by another process"));
    EXPECT_EQ(nlohmann::json::parse(ask()).at("vms").size(), 2U);
}

TEST_F(ServerTest, AServerThatCannotStartLeavesNothingBehind) {
    std::ofstream(config_.status_socket) << "precious";
    EXPECT_THAT(error_of_serve(), HasSubstr("is not a socket"));
    EXPECT_FALSE(std::filesystem::exists(config_.vms[0].socket));
    EXPECT_FALSE(std::filesystem::exists(config_.vms[1].socket));
    EXPECT_TRUE(std::filesystem::is_regular_file(config_.status_socket));
}

TEST_F(ServerTest, AServerThatEndsRemovesItsSockets) {
    serve();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace vrdma::daemon
