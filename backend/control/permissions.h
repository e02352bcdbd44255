// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "control/method.h"

namespace vrdma::control {

// Who may use the socket, besides root and the daemon's own user, who are administrators.
struct Permissions {
    std::optional<gid_t> readers{};
    std::optional<gid_t> administrators{};

    bool operator==(const Permissions&) const = default;
};

// Who the administrators are, for messages.
std::string administrators_of(const Permissions& permissions);

// What the process may do that has connected to the Unix stream socket `fd`, or a sentence that
// says why it may do nothing.  The kernel noted its credentials when it connected (SO_PEERCRED,
// SO_PEERGROUPS of socket(7)).
tl::expected<Access, std::string> access_of(int fd, const Permissions& permissions);

}  // namespace vrdma::control
