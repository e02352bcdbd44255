// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A daemon's server, without a program around it, and clients of its control socket.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/control/control.h"
#include "file_descriptor.h"
#include "support/captured_log.h"
#include "support/fake_rnic.h"
#include "support/fake_vmm.h"

namespace vrdma::daemon {

// A connection to a control socket.  What never comes makes the test hang, and CTest ends it.
class ControlClient {
  public:
    explicit ControlClient(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(
            ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)),
            0)
            << path;
    }

    // Sends bytes as they are; what the daemon does not take any more is no failure.
    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;
            }
            bytes.remove_prefix(static_cast<size_t>(sent));
        }
    }
    void end_sending() { ::shutdown(socket_.get(), SHUT_WR); }

    // The next line; empty when the connection is over.
    std::string line() {
        size_t end;
        while ((end = received_.find('\n')) == std::string::npos) {
            char part[4096];
            const ssize_t got = ::recv(socket_.get(), part, sizeof(part), 0);
            if (got <= 0) {
                return "";
            }
            received_.append(part, static_cast<size_t>(got));
        }
        std::string line = received_.substr(0, end);
        received_.erase(0, end + 1);
        return line;
    }
    nlohmann::json document() {
        const std::string text = line();
        EXPECT_NE(text, "") << "the connection is over";
        return nlohmann::json::parse(text, nullptr, false);
    }

    // The answer to one request.
    nlohmann::json ask(const std::string& method, nlohmann::json parameters = {}) {
        nlohmann::json request{{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}};
        if (!parameters.is_null()) {
            request["params"] = std::move(parameters);
        }
        send(request.dump() + "\n");
        nlohmann::json answer = document();
        EXPECT_EQ(answer.value("id", 0), id_);
        return answer;
    }
    nlohmann::json result(const std::string& method, nlohmann::json parameters = {}) {
        const nlohmann::json answer = ask(method, std::move(parameters));
        EXPECT_TRUE(answer.contains("result")) << answer;
        return answer.value("result", nlohmann::json());
    }
    int error(const std::string& method, nlohmann::json parameters = {}) {
        const nlohmann::json answer = ask(method, std::move(parameters));
        EXPECT_TRUE(answer.contains("error")) << answer;
        return answer.contains("error") ? answer["error"].value("code", 0) : 0;
    }

    int fd() const { return socket_.get(); }

  private:
    FileDescriptor socket_;
    std::string received_;
    int id_ = 0;
};

class ControlTest : public testing::Test {
  protected:
    ControlTest() {
        char pattern[] = "/tmp/vrdma-control-test-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        config_.control_socket = folder_ / "control.sock";
        for (const char* name : {"a", "b"}) {
            config_.vms.emplace_back();
            config_.vms.back().name = name;
            config_.vms.back().socket = folder_ / (std::string(name) + ".sock");
        }
    }
    ~ControlTest() override {
        control_.reset();
        server_.reset();
        std::filesystem::remove_all(folder_);
    }

    void serve(const control::Permissions& permissions = {}) {
        server_ = std::make_unique<Server>(config_, std::make_unique<device::FakeRnic>(),
                                           log_.logger(), equip_here, watcher_of(events_));
        reloader_ = std::make_unique<Reloader>(
            file_, [this] { return read_config(file_); }, config_, *server_, levels_);
        control_ =
            std::make_unique<Control>(config_, permissions, *server_, levels_, *reloader_, events_);
        server_->start();
    }

    std::string path() const { return config_.control_socket->string(); }
    ControlClient client() const { return ControlClient(path()); }
    std::string socket_of(const std::string& guest) const { return folder_ / (guest + ".sock"); }

    std::filesystem::path folder_;
    test::CapturedLog log_;
    Config config_;
    std::string file_;  // the daemon's configuration, if the test has one
    LogLevels levels_{log_.logger()->sinks().front(), spdlog::level::info};
    control::EventQueue events_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Reloader> reloader_;
    std::unique_ptr<Control> control_;
};

}  // namespace vrdma::daemon
