// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A state and its files on a Unix stream socket (docs/state.md, "Between two daemons").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "file_descriptor.h"
#include "result.h"

namespace vrdma::daemon {

// Both sides wait as long for each other, and then give up.
void limit_waits(int socket);

// Sends the document and the files.  Errors of the system calls; EAGAIN when the other side does
// not read.
Result<void> send_state(int socket, std::span<const std::byte> document,
                        std::span<const int> files);

// What a successor that has received a state says: one byte.
enum class Answer : uint8_t {
    kTaken = 1,     // the guests are its own
    kLookedAt = 2,  // it understands the state, and leaves the guests where they are
};
void answer(int socket, Answer answer);
// Waits for it.  Errors of recv(2); EPIPE when the successor is gone without an answer, EPROTO for
// another byte.
Result<Answer> wait_for_answer(int socket);

struct ReceivedState {
    std::vector<std::byte> document;
    std::vector<FileDescriptor> files;
};
// Receives what send_state() has sent.  Errors of the system calls; EPIPE when the other side is
// gone, EPROTO for what send_state() does not send.
Result<ReceivedState> receive_state(int socket);

}  // namespace vrdma::daemon
