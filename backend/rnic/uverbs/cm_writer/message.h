// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// What a daemon and its writer say to each other on a channel, a pair of SOCK_SEQPACKET.  A daemon
// of another version may be the one that asks (docs/state.md), so that what is here stays as it is.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vrdma::uverbs {

// The most bytes that a message has.
constexpr size_t kMostWriterBytes = size_t{64} * 1024;

enum class WriterRequestKind : uint32_t {
    kOpen = 1,   // the reply has a new file, and its number
    kWrite = 2,  // writes a command to a file
    kClose = 3,  // closes a file; there is no reply
};

// A request.  Behind it: the command, `command` bytes, and then `value` bytes that the command
// points to.  Offsets are in the command.
struct WriterRequest {
    WriterRequestKind kind{};
    uint32_t file = 0;         // the number of the file
    uint32_t command = 0;      // bytes
    uint32_t value = 0;        // bytes; the command gets their address at `value_at`
    uint32_t value_at = 0;     // of 64 bits
    uint32_t response = 0;     // bytes of room; the command gets their address at `response_at`
    uint32_t response_at = 0;  // of 64 bits
    uint32_t other_at = 0;  // of 32 bits: the command gets the number of the file that came along
};

// The answer to a request, with what came of the kernel's response behind it.
struct WriterReply {
    int32_t error = 0;  // an errno
    uint32_t file = 0;  // kOpen
};

}  // namespace vrdma::uverbs
