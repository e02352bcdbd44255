// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <string>
#include <utility>

#include "file_descriptor.h"
#include "socket_files.h"

namespace vrdma::daemon {

// The socket of a service manager, as the environment of the test's children says it.
class FakeServiceManager {
  public:
    explicit FakeServiceManager(const std::string& path)
        : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        EXPECT_EQ(
            ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
        ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    }
    ~FakeServiceManager() {
        for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
            ::unsetenv(name);
        }
    }
    FakeServiceManager(const FakeServiceManager&) = delete;
    FakeServiceManager& operator=(const FakeServiceManager&) = delete;

    struct Message {
        std::string text;
        FileDescriptor file{};
    };
    // The next message; waits for it.
    Message receive() const {
        std::array<char, 256> text;
        auto received = receive_with_files(socket_.get(), std::as_writable_bytes(std::span(text)));
        if (!received) {
            return {};
        }
        Message message{.text = {text.data(), received->size}};
        if (!received->files.empty()) {
            message.file = std::move(received->files.front());
        }
        return message;
    }
    std::string heard() const { return receive().text; }

    bool silent() const {
        char byte;
        return ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
    }

    // What a process that stops stores; the manager has it from then on, or (`keeps`) not.
    FileDescriptor serve_stop(bool keeps = true) const {
        Message message = receive();
        while (!message.text.starts_with("FDSTORE=1\n")) {
            message = receive();
        }
        EXPECT_EQ(message.text, "FDSTORE=1\nFDNAME=vrdma-guests\nFDPOLL=0");
        FileDescriptor stored = std::move(message.file);
        if (!keeps) {
            stored.reset();
        }
        EXPECT_EQ(receive().text, "BARRIER=1");  // whose file is closed here
        return stored;
    }

  private:
    FileDescriptor socket_;
};

}  // namespace vrdma::daemon
