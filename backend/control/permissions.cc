// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "control/permissions.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vhost/server/socket_access.h"

namespace vrdma::control {

std::string administrators_of(const Permissions& permissions) {
    std::string who = "root and vrdmad's own user";
    if (permissions.administrators) {
        who += fmt::format(", and the members of the group {} ('control_admin_group')",
                           *permissions.administrators);
    }
    return who;
}

tl::expected<Access, std::string> access_of(int fd, const Permissions& permissions) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return tl::unexpected(
            fmt::format("the credentials of this client are unknown: {}", std::strerror(errno)));
    }
    const auto is_in = [&](const std::optional<gid_t>& group) {
        return group && vhost::is_in_group(fd, peer, *group);
    };
    if (peer.uid == 0 || peer.uid == ::geteuid() || is_in(permissions.administrators)) {
        return Access::kAdministrator;
    }
    if (is_in(permissions.readers)) {
        return Access::kReader;
    }
    std::string groups = "no group is configured for readers ('control_group' in [daemon])";
    if (permissions.readers) {
        groups = fmt::format("readers are the members of the group {} ('control_group')",
                             *permissions.readers);
    }
    return tl::unexpected(fmt::format("the user {} may not ask vrdmad: {}; administrators are {}",
                                      peer.uid, groups, administrators_of(permissions)));
}

}  // namespace vrdma::control
