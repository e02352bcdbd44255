// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/protocol/message.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>

namespace vrdma::vhost {

void MessageReader::next() {
    message_.header = {};
    message_.fds.clear();
    received_ = 0;
}

MessageReader::Status MessageReader::malformed(std::string error) {
    error_ = std::move(error);
    return Status::kMalformed;
}

MessageReader::Status MessageReader::read(int socket) {
    // Header and payload are received apart, and never more than one message: descriptors
    // are attached to bytes, and have to go to the message whose bytes those are.
    while (received_ < sizeof(VuHeader)) {
        auto* header = reinterpret_cast<std::byte*>(&message_.header);
        const Status status =
            receive(socket, std::span(header, sizeof(VuHeader)).subspan(received_));
        if (status != Status::kComplete) {
            return status;
        }
        if (received_ < sizeof(VuHeader)) {
            continue;
        }
        if ((message_.header.flags & kVersionMask) != kVersion) {
            return malformed(fmt::format("message {} has protocol version {}",
                                         message_.header.request,
                                         message_.header.flags & kVersionMask));
        }
        if (message_.header.flags & kFlagReply) {
            return malformed(
                fmt::format("message {} claims to be a reply", message_.header.request));
        }
        if (message_.header.size > kMaxPayload) {
            return malformed(fmt::format("message {} has {} bytes, more than any can have",
                                         message_.header.request, message_.header.size));
        }
    }
    while (received_ < sizeof(VuHeader) + message_.header.size) {
        const size_t have = received_ - sizeof(VuHeader);
        const Status status =
            receive(socket, std::span(message_.payload).first(message_.header.size).subspan(have));
        if (status != Status::kComplete) {
            return status;
        }
    }
    return Status::kComplete;
}

// Receives some bytes into `buffer` and descriptors into the message.  kComplete means that at
// least one byte came.
MessageReader::Status MessageReader::receive(int socket, std::span<std::byte> buffer) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
    iovec part{buffer.data(), buffer.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof(control);
    ssize_t got = 0;
    do {
        got = ::recvmsg(socket, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return Status::kAgain;
        }
        return malformed(fmt::format("receiving failed: {}", ::strerror(errno)));
    }
    for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr;
         item = CMSG_NXTHDR(&header, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof(int), sizeof(int));
            message_.fds.emplace_back(fd);
        }
    }
    if (message_.fds.size() > kMaxFds) {
        return malformed("a message has more descriptors than any can have");
    }
    if ((header.msg_flags & MSG_CTRUNC) != 0) {
        return malformed(
            "a message has more descriptors than any can have, or than vrdmad may open: look at "
            "its limit of open files (LimitNOFILE, ulimit -n)");
    }
    if (got == 0) {
        if (received_ == 0 && message_.fds.empty()) {
            return Status::kClosed;
        }
        return malformed(fmt::format("the stream ended {} bytes into a message", received_));
    }
    received_ += static_cast<size_t>(got);
    return Status::kComplete;
}

}  // namespace vrdma::vhost
