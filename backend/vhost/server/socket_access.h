// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string>

namespace vrdma::vhost {

// Whose a socket is, and so who is served on it.
struct SocketAccess {
    mode_t mode = 0600;            // of the path
    std::optional<uid_t> user{};   // if set: only processes of this user are served
    std::optional<gid_t> group{};  // if set: only processes that have this group are served
};

// Why the process that has connected to the Unix stream socket `fd` is not to be served, or nothing
// if it is.  The kernel noted the process's credentials when it connected (SO_PEERCRED,
// SO_PEERGROUPS of socket(7)), so that it does not matter who holds the descriptor now.
std::optional<std::string> why_refused(int fd, const SocketAccess& access);

// Whether the process that has connected to `fd`, whose credentials `peer` are, has the group. A
// kernel that cannot tell the supplementary groups (before 4.13) counts as no.
bool is_in_group(int fd, const ucred& peer, gid_t group);

}  // namespace vrdma::vhost
