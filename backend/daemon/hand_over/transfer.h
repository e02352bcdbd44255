// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// A state and its files on a Unix stream socket (docs/state.md, "Between two daemons").
#pragma once

#include <cstddef>
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

struct ReceivedState {
    std::vector<std::byte> document;
    std::vector<FileDescriptor> files;
};
// Receives what send_state() has sent.  Errors of the system calls; EPIPE when the other side is
// gone, EPROTO for what send_state() does not send.
Result<ReceivedState> receive_state(int socket);

}  // namespace vrdma::daemon
