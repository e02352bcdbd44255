// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/protocol/message.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "socket_files.h"

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
    auto received = receive_with_files(socket, buffer, MSG_DONTWAIT);
    if (!received) {
        switch (to_int(received.error())) {
            case EAGAIN:
                return Status::kAgain;
            case EMFILE:
                return malformed(
                    "a message has more descriptors than any can have, or than vrdmad may open: "
                    "look at its limit of open files (LimitNOFILE, ulimit -n)");
            default:
                return malformed(fmt::format("receiving failed: {}", to_string(received.error())));
        }
    }
    std::ranges::move(received->files, std::back_inserter(message_.fds));
    if (message_.fds.size() > kMaxFds) {
        return malformed("a message has more descriptors than any can have");
    }
    if (received->size == 0) {
        if (received_ == 0 && message_.fds.empty()) {
            return Status::kClosed;
        }
        return malformed(fmt::format("the stream ended {} bytes into a message", received_));
    }
    received_ += received->size;
    return Status::kComplete;
}

}  // namespace vrdma::vhost
