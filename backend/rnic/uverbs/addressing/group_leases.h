// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::uverbs {

// The multicast groups of one RNIC, and the network that has each.  Groups go into the underlay by
// their own names, so guests of two networks that used one group would hear each other.  The
// network that used a group first has it until its last user is gone.  Any thread.
class GroupLeases {
  public:
    // One user of a group, a queue pair or an address handle.
    class Lease {
      public:
        Lease(Lease&& other) noexcept
            : groups_(std::exchange(other.groups_, nullptr)), group_(other.group_) {}
        Lease& operator=(Lease&&) = delete;
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease();

      private:
        friend class GroupLeases;
        Lease(GroupLeases& groups, const rnic::Gid& group) : groups_(&groups), group_(group) {}

        GroupLeases* groups_;  // outlives the lease
        const rnic::Gid group_;
    };

    // Counts one more user.  EADDRINUSE while guests of another network use the group.
    Result<Lease> use(const std::string& network, const rnic::Gid& group);

  private:
    struct Group {
        std::string network;
        uint64_t users = 0;
    };

    std::mutex mutex_;  // guards groups_
    std::map<rnic::Gid, Group> groups_;
};

}  // namespace vrdma::uverbs
