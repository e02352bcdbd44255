// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "support/socket_io.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace vrdma::test {
namespace {

// Only ever waited for in full by a test that fails.
constexpr int kPatienceMilliseconds = 60'000;
constexpr size_t kMaxFds = 16;

[[noreturn]] void throw_errno(const char* what) {
    throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

void wait_readable(int fd, const char* what) {
    pollfd poll_fd{fd, POLLIN, 0};
    int ready = 0;
    do {
        ready = ::poll(&poll_fd, 1, kPatienceMilliseconds);
    } while (ready < 0 && errno == EINTR);
    if (ready <= 0) {
        throw std::runtime_error(fmt::format("waited in vain for {}", what));
    }
}

void send_all(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
    if (fds.size() > kMaxFds) {
        throw std::runtime_error("too many descriptors");
    }
    while (!bytes.empty()) {
        iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!fds.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(fds.size_bytes());
            cmsghdr* item = CMSG_FIRSTHDR(&message);
            item->cmsg_level = SOL_SOCKET;
            item->cmsg_type = SCM_RIGHTS;
            item->cmsg_len = CMSG_LEN(fds.size_bytes());
            std::memcpy(CMSG_DATA(item), fds.data(), fds.size_bytes());
        }
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent < 0) {
            throw_errno("sendmsg");
        }
        fds = {};
        bytes = bytes.subspan(static_cast<size_t>(sent));
    }
}

void receive_all(int socket, std::span<std::byte> bytes, std::vector<FileDescriptor>* fds) {
    while (!bytes.empty()) {
        wait_readable(socket, "a message");
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> control{};
        iovec part{bytes.data(), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (got < 0) {
            throw_errno("recvmsg");
        }
        if (got == 0) {
            throw std::runtime_error("the peer has gone");
        }
        for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
             item = CMSG_NXTHDR(&message, item)) {
            for (size_t i = 0; i < (item->cmsg_len - CMSG_LEN(0)) / sizeof(int); ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
                FileDescriptor owned(fd);
                if (fds != nullptr) {
                    fds->push_back(std::move(owned));
                }
            }
        }
        bytes = bytes.subspan(static_cast<size_t>(got));
    }
}

SocketPair make_socket_pair() {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        throw_errno("socketpair");
    }
    return {FileDescriptor(fds[0]), FileDescriptor(fds[1])};
}

}  // namespace vrdma::test
