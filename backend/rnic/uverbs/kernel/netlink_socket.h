// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <libmnl/libmnl.h>

#include <memory>

namespace vrdma::uverbs {

struct CloseNetlinkSocket {
    void operator()(mnl_socket* socket) const { ::mnl_socket_close(socket); }
};

// A netlink socket that closes itself.
using NetlinkSocket = std::unique_ptr<mnl_socket, CloseNetlinkSocket>;

}  // namespace vrdma::uverbs
