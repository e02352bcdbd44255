// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "file_descriptor.h"
#include "vhost/protocol/vhost_user.h"

namespace vrdma::vhost {

// Payloads longer than those of all known messages are received too, so that an unknown
// message can be refused instead of ending the connection.
inline constexpr size_t kMaxPayload = 4096;

// Descriptors that one message can carry.
inline constexpr size_t kMaxFds = kMaxTableRegions;

// One message as it came in.  Its destructor closes the descriptors that nobody took.
struct Message {
    VuHeader header{};
    std::array<std::byte, kMaxPayload> payload;
    std::vector<FileDescriptor> fds;

    Request request() const { return static_cast<Request>(header.request); }
    bool need_reply() const { return (header.flags & kFlagNeedReply) != 0; }
    std::span<const std::byte> bytes() const { return std::span(payload).first(header.size); }

    // The payload as a T, whose size the message table has checked.
    template <typename T>
    T as() const {
        T value;
        std::memcpy(&value, payload.data(), sizeof(T));
        return value;
    }
};

// Puts messages together from a non-blocking stream socket.
class MessageReader {
  public:
    enum class Status {
        kComplete,  // message() is whole; call next() before reading on
        kAgain,     // there is nothing more to read now
        kClosed,    // the peer has left, between two messages
        kMalformed  // nothing can be read from the stream any more; error() says why
    };

    Status read(int socket);
    // Whether no part of a message has been read.
    bool is_between_messages() const { return received_ == 0; }
    Message& message() { return message_; }
    void next();
    const std::string& error() const { return error_; }

  private:
    Status receive(int socket, std::span<std::byte> buffer);
    Status malformed(std::string error);

    Message message_;
    size_t received_ = 0;
    std::string error_;
};

}  // namespace vrdma::vhost
