// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "daemon/service/service_manager.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

#include "socket_files.h"

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

// How long the manager may take to hear what it is told.
constexpr int kPatienceMs = 5000;

// The first of the files that the manager gives to a process (SD_LISTEN_FDS_START).
constexpr int kFirstFile = 3;

// What sd_listen_fds_with_names(3) would return, by the names.
std::map<std::string, FileDescriptor> given_files() {
    std::map<std::string, FileDescriptor> files;
    if (number(variable("LISTEN_PID")) != static_cast<uint64_t>(::getpid())) {
        return files;
    }
    std::string_view names = variable("LISTEN_FDNAMES");
    const uint64_t count = number(variable("LISTEN_FDS")).value_or(0);
    for (int fd = kFirstFile; fd < kFirstFile + static_cast<int>(count); ++fd) {
        ::fcntl(fd, F_SETFD, FD_CLOEXEC);
        const size_t end = std::min(names.find(':'), names.size());
        files.insert_or_assign(std::string(names.substr(0, end)), FileDescriptor(fd));
        names.remove_prefix(std::min(end + 1, names.size()));
    }
    return files;
}

// Returns when the manager has heard all that it was told before.
Result<void> wait_heard(int manager) {
    // The manager closes the file that comes with this message, whose other end tells it.
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail(errno);
    }
    const FileDescriptor ours(ends[0]);
    FileDescriptor theirs(ends[1]);
    constexpr std::string_view kBarrier = "BARRIER=1";
    const int fd = theirs.get();
    auto sent = send_with_files(manager, std::as_bytes(std::span(kBarrier)), std::span(&fd, 1));
    if (!sent) {
        return sent;
    }
    theirs.reset();
    pollfd closed{.fd = ours.get(), .events = POLLIN, .revents = 0};
    return ::poll(&closed, 1, kPatienceMs) == 1 ? Result<void>() : fail(ETIMEDOUT);
}

}  // namespace

ServiceManager::ServiceManager() : stored_(given_files()) {
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

FileDescriptor ServiceManager::take_stored(const std::string& name) {
    const auto found = stored_.find(name);
    if (found == stored_.end()) {
        return {};
    }
    tell(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name));
    return std::move(stored_.extract(found).mapped());
}

Result<void> ServiceManager::store(const std::string& name, FileDescriptor file) const {
    if (!listens()) {
        return fail(ENOTCONN);
    }
    // Without FDPOLL=0 the manager would drop a socket whose other end is closed.
    const std::string text = fmt::format("FDSTORE=1\nFDNAME={}\nFDPOLL=0", name);
    const int fd = file.get();
    auto sent = send_with_files(socket_.get(), std::as_bytes(std::span(text)), std::span(&fd, 1));
    file.reset();
    return sent ? wait_heard(socket_.get()) : sent;
}

void ServiceManager::tell(std::string_view state) const {
    if (socket_.valid()) {
        // A manager that does not listen any more is about to end or to begin again.
        (void)::send(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL);
    }
}

}  // namespace vrdma::daemon
