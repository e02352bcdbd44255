// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "vhost/server/socket_access.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace vrdma::vhost {
namespace {

// Whether a supplementary group of the peer is `group`.
bool has_group(int fd, gid_t group) {
    socklen_t size = 0;
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, nullptr, &size) == 0) {
        return false;  // there are none
    }
    if (errno != ERANGE) {
        return false;
    }
    std::vector<gid_t> groups(size / sizeof(gid_t));
    return ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0 &&
           std::ranges::find(groups, group) != groups.end();
}

}  // namespace

bool is_in_group(int fd, const ucred& peer, gid_t group) {
    return peer.gid == group || has_group(fd, group);
}

std::optional<std::string> why_refused(int fd, const SocketAccess& access) {
    if (!access.user && !access.group) {
        return std::nullopt;
    }
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return fmt::format("its credentials are unknown: {}", std::strerror(errno));
    }
    if (access.user && peer.uid != *access.user) {
        return fmt::format("process {} is of the user {}, and this socket is the user {}'s",
                           peer.pid, peer.uid, *access.user);
    }
    if (access.group && !is_in_group(fd, peer, *access.group)) {
        return fmt::format("process {} (user {}) is not in the group {}, whose this socket is",
                           peer.pid, peer.uid, *access.group);
    }
    return std::nullopt;
}

}  // namespace vrdma::vhost
