// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Bytes on a Unix socket with open files beside them (unix(7), SCM_RIGHTS).
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma {

// What the kernel lets one message carry (SCM_MAX_FD).
inline constexpr size_t kMostFilesOfMessage = 253;

// Sends all of `bytes`, at least one, and at most kMostFilesOfMessage files with the first of
// them.  Errors of sendmsg(2).
inline Result<void> send_with_files(int socket, std::span<const std::byte> bytes,
                                    std::span<const int> files, int flags = 0) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostFilesOfMessage)> control{};
    while (!bytes.empty()) {
        iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!files.empty()) {
            message.msg_control = control.data();
            message.msg_controllen = CMSG_SPACE(files.size_bytes());
            cmsghdr* item = CMSG_FIRSTHDR(&message);
            item->cmsg_level = SOL_SOCKET;
            item->cmsg_type = SCM_RIGHTS;
            item->cmsg_len = CMSG_LEN(files.size_bytes());
            std::memcpy(CMSG_DATA(item), files.data(), files.size_bytes());
        }
        const ssize_t sent = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            return fail(errno);
        }
        if (sent > 0) {
            bytes = bytes.subspan(static_cast<size_t>(sent));
            files = {};
        }
    }
    return {};
}

// What one recvmsg(2) has brought.
struct BytesWithFiles {
    size_t size = 0;  // 0 at the end of the stream
    std::vector<FileDescriptor> files{};
};

// Receives what is there, at most `buffer`.  Errors of recvmsg(2), but not EINTR; EMFILE when files
// were lost.
inline Result<BytesWithFiles> receive_with_files(int socket, std::span<std::byte> buffer,
                                                 int flags = 0) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kMostFilesOfMessage)> control;
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return fail(errno);
    }
    BytesWithFiles received{.size = static_cast<size_t>(got)};
    for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
         item = CMSG_NXTHDR(&message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
            received.files.emplace_back(fd);
        }
    }
    if ((message.msg_flags & MSG_CTRUNC) != 0) {
        return fail(EMFILE);
    }
    return received;
}

}  // namespace vrdma
