// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vrdmactl/connection.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>
#include <utility>

namespace vrdma::vrdmactl {
namespace {

[[noreturn]] void fail_to_connect(const std::string& path, int error) {
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            throw Failure(kNotReachable,
                          fmt::format("there is no control socket {}: start vrdmad, or name its "
                                      "'control_socket' with --socket",
                                      path));
        case ECONNREFUSED:
            throw Failure(kNotReachable,
                          fmt::format("nobody listens at {}: vrdmad has ended; start it", path));
        case EACCES:
        case EPERM:
            throw Failure(kRefused,
                          fmt::format("this user may not use {}: be root, or let vrdmad have a "
                                      "'control_group' or 'control_admin_group' that you are in",
                                      path));
        default:
            throw Failure(kNotReachable, fmt::format("{}: {}", path, std::strerror(error)));
    }
}

[[noreturn]] void refused(const nlohmann::json& error) {
    throw Failure(kRefused, error.value("message", "vrdmad refuses without a word"));
}

// Rounded up, so that it has passed when poll() returns; at most what poll() takes.
int milliseconds_until(Connection::Clock::time_point end) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - Connection::Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
}

}  // namespace

Connection::Connection(const std::string& path)
    : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        throw Failure(kUsage, fmt::format("--socket: a path has 1 to {} characters",
                                          sizeof(address.sun_path) - 1));
    }
    path.copy(address.sun_path, path.size());
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0) {
        fail_to_connect(path, errno);
    }
}

pid_t Connection::peer() const {
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    return ::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0
               ? credentials.pid
               : 0;
}

nlohmann::json Connection::call(const std::string& method, nlohmann::json parameters) {
    nlohmann::json request{{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}};
    if (!parameters.is_null()) {
        request["params"] = std::move(parameters);
    }
    send(request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    for (;;) {
        const auto received = receive(Clock::now() + kPatience);
        if (!received) {
            throw Failure(kNotReachable, "vrdmad does not answer; is it stopped?");
        }
        const nlohmann::json& answer = *received;
        if (answer.contains("method")) {
            continue;  // an event
        }
        if (answer.contains("error")) {
            refused(answer.at("error"));
        }
        return answer.value("result", nlohmann::json());
    }
}

std::optional<nlohmann::json> Connection::next_event_before(std::optional<Clock::time_point> end) {
    for (;;) {
        const auto document = receive(end);
        if (!document) {
            return std::nullopt;
        }
        if (document->value("method", "") == "event") {
            return document->value("params", nlohmann::json::object());
        }
    }
}

// A daemon that turns a client away says why before it closes the connection, so the line that it
// has sent is still to be read when this fails.
void Connection::send(const std::string& line) {
    size_t sent = 0;
    while (sent < line.size()) {
        const ssize_t count =
            ::send(socket_.get(), line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR) {
            return;
        }
        sent += count < 0 ? 0 : static_cast<size_t>(count);
    }
}

// Nothing if `deadline` comes first.
std::optional<nlohmann::json> Connection::receive(std::optional<Clock::time_point> deadline) {
    size_t end;
    while ((end = received_.find('\n')) == std::string::npos) {
        pollfd readable{socket_.get(), POLLIN, 0};
        const int ready = ::poll(&readable, 1, deadline ? milliseconds_until(*deadline) : -1);
        if (ready == 0) {
            return std::nullopt;
        }
        char part[16384];
        const ssize_t count = ready < 0 ? -1 : ::recv(socket_.get(), part, sizeof(part), 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            throw Failure(kNotReachable, "vrdmad has closed the connection");
        }
        received_.append(part, static_cast<size_t>(count));
    }
    nlohmann::json document = nlohmann::json::parse(received_.substr(0, end), nullptr, false);
    received_.erase(0, end + 1);
    if (!document.is_object()) {
        throw Failure(kNotReachable, "what answers is no vrdmad: it sends no JSON-RPC");
    }
    return document;
}

}  // namespace vrdma::vrdmactl
