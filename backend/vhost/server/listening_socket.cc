// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/listening_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace vrdma::vhost {
namespace {

constexpr int kBacklog = 4;

[[noreturn]] void throw_error(const std::string& path, const std::string& what) {
    throw std::runtime_error(fmt::format("socket {}: {}", path, what));
}

[[noreturn]] void throw_errno(const std::string& path, const char* call) {
    throw_error(path, fmt::format("{}: {}", call, std::strerror(errno)));
}

FileDescriptor make_socket(const std::string& path, int type) {
    FileDescriptor socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.valid()) {
        throw_errno(path, "socket");
    }
    return socket;
}

// Removes a socket that nobody listens on; throws for anything else that is there.
void remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) {
        if (errno == ENOENT) {
            return;
        }
        throw_errno(path, "stat");
    }
    if (!S_ISSOCK(status.st_mode)) {
        throw_error(path, "exists, and is not a socket");
    }
    // A datagram socket tells a live stream socket (EPROTOTYPE) from one that nobody has open
    // (ECONNREFUSED) without a connection, which would be taken for a VMM.
    const FileDescriptor probe = make_socket(path, SOCK_DGRAM);
    if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
        errno != ECONNREFUSED) {
        throw_error(path, "is in use by another process");
    }
    if (::unlink(path.c_str()) != 0) {
        throw_errno(path, "unlink");
    }
}

}  // namespace

ListeningSocket::ListeningSocket(std::string path, Bound bound)
    : path_(std::move(path)),
      bound_(std::move(bound)),
      reserve_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

ListeningSocket::Bound ListeningSocket::bind(const std::string& path, const SocketAccess& access) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        throw_error(path, fmt::format("the path has to have 1 to {} characters",
                                      sizeof(address.sun_path) - 1));
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    remove_stale(path, address);
    Bound bound{.socket = make_socket(path, SOCK_STREAM)};
    if (::bind(bound.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) !=
        0) {
        throw_errno(path, "bind");
    }
    constexpr auto kUnchanged = static_cast<uid_t>(-1);
    if (access.group && ::lchown(path.c_str(), kUnchanged, *access.group) != 0) {
        const std::string error = std::strerror(errno);
        ::unlink(path.c_str());
        throw_error(path, fmt::format("cannot be given to the group {}: {}; have vrdmad run with "
                                      "that group (SupplementaryGroups= in a systemd unit)",
                                      *access.group, error));
    }
    bound.gave_away = !access.user || ::lchown(path.c_str(), *access.user, kUnchanged) == 0;
    struct stat status {};
    // Nobody can connect before listen(), so that the permissions are there in time.
    if (::chmod(path.c_str(), access.mode) != 0 || ::lstat(path.c_str(), &status) != 0 ||
        ::listen(bound.socket.get(), kBacklog) != 0) {
        const int error = errno;
        ::unlink(path.c_str());
        errno = error;
        throw_errno(path, "listen");
    }
    bound.inode = status.st_ino;
    return bound;
}

ListeningSocket::~ListeningSocket() {
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == bound_.inode) {
        ::unlink(path_.c_str());
    }
}

Result<FileDescriptor> ListeningSocket::accept() {
    FileDescriptor peer(::accept4(bound_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (peer.valid()) {
        return peer;
    }
    const int error = errno;
    if (error == EMFILE || error == ENFILE) {
        // Unaccepted, it would keep the caller's loop awake: the descriptor held in reserve
        // lets it be accepted, only to be closed.
        reserve_.reset();
        peer = FileDescriptor(::accept4(bound_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        peer.reset();
        reserve_ = FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    return fail(error);
}

}  // namespace vrdma::vhost
