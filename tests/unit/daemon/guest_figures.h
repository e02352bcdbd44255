// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a vrdmad that runs says of its guests.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "file_descriptor.h"

namespace vrdma::daemon {

// Connects to a Unix socket.  0, or the errno; the socket is in `socket` then.
inline int connect_to(const std::string& path, FileDescriptor* socket = nullptr) {
    FileDescriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0) {
        return errno;
    }
    if (socket != nullptr) {
        *socket = std::move(client);
    }
    return 0;
}

// The answer of the vrdmad with this control socket to `show` (docs/control.md).  Throws
// std::runtime_error when there is none.
inline nlohmann::json figures_of(const std::string& control_socket, const std::string& guest) {
    FileDescriptor control;
    EXPECT_EQ(connect_to(control_socket, &control), 0);
    const nlohmann::json call{
        {"jsonrpc", "2.0"}, {"id", 1}, {"method", "show"}, {"params", {{"guest", guest}}}};
    const std::string request = call.dump() + "\n";
    EXPECT_EQ(::send(control.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    while (!answer.ends_with('\n')) {
        char part[4096];
        const ssize_t got = ::recv(control.get(), part, sizeof(part), 0);
        if (got <= 0) {
            throw std::runtime_error("vrdmad gives no answer");
        }
        answer.append(part, static_cast<size_t>(got));
    }
    return nlohmann::json::parse(answer).at("result");
}

}  // namespace vrdma::daemon
