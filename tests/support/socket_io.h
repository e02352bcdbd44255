// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "file_descriptor.h"

namespace vrdma::test {

// All of these throw std::runtime_error: when the peer has gone, or after waiting for so
// long that whatever was waited for will not come.

void wait_readable(int fd, const char* what);

// Sends all of `bytes`, the descriptors with the first of them.
void send_all(int socket, std::span<const std::byte> bytes, std::span<const int> fds = {});

// Receives exactly `bytes`, and appends descriptors that come with them.
void receive_all(int socket, std::span<std::byte> bytes,
                 std::vector<FileDescriptor>* fds = nullptr);

// Both ends of a stream.
struct SocketPair {
    FileDescriptor ours;
    FileDescriptor theirs;
};
SocketPair make_socket_pair();

}  // namespace vrdma::test
