// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace vrdma::daemon {
namespace {

std::string_view variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<uint64_t> number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

FileDescriptor connect_to(std::string_view path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) {
        throw std::runtime_error(fmt::format("NOTIFY_SOCKET={} is too long", path));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path.front() == '@') {
        address.sun_path[0] = '\0';  // an abstract address, unix(7)
    }
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket.valid() ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        throw std::runtime_error(fmt::format("NOTIFY_SOCKET={}: {}", path, std::strerror(errno)));
    }
    return socket;
}

}  // namespace

ServiceManager::ServiceManager() {
    const std::string_view path = variable("NOTIFY_SOCKET");
    if (path.empty()) {
        return;
    }
    socket_ = connect_to(path);
    const auto limit = number(variable("WATCHDOG_USEC"));
    const std::string_view pid = variable("WATCHDOG_PID");
    if (limit.value_or(0) != 0 &&
        (pid.empty() || number(pid) == static_cast<uint64_t>(::getpid()))) {
        watchdog_ = std::chrono::microseconds(*limit);
    }
}

void ServiceManager::tell(std::string_view state) const {
    if (socket_.valid()) {
        // A manager that does not listen any more is about to end or to begin again.
        (void)::send(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL);
    }
}

}  // namespace vrdma::daemon
