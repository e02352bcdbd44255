// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::uverbs {

// The IPv6 addresses of the RNIC's netdev, of which the daemon may add some.  Any thread.
class NetdevIpv6 {
  public:
    virtual ~NetdevIpv6() = default;

    enum class State {
        kAbsent,
        kTentative,  // the kernel is still asking the link whether another node has the address
        kReady,
        kDuplicate,  // another node of the link has the address
    };

    // Adds an address with a prefix of 128 bits.  `ours` is false when the netdev had the address
    // before and not from a daemon: then it is not the daemon's to remove.  Errors: rtnetlink's,
    // EPERM without CAP_NET_ADMIN.
    struct Added {
        bool ours = true;
    };
    virtual Result<Added> add(const rnic::Gid& address) = 0;

    // The state of an address, once it is no longer tentative or the time is over.
    virtual State settled(const rnic::Gid& address, std::chrono::milliseconds limit) = 0;

    virtual void remove(const rnic::Gid& address) = 0;
};

// The addresses of a netdev of this host, by rtnetlink.
std::unique_ptr<NetdevIpv6> make_netdev_ipv6(std::string netdev);

// Whether this process has CAP_NET_ADMIN, without which it cannot add addresses.
bool may_add_addresses();

}  // namespace vrdma::uverbs
