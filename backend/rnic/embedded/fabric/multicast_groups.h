// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <map>
#include <span>
#include <vector>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::embedded {

class PortContext;  // known here by its address only
class QpContext;    // known here by its address only

// The queue pairs of all ports that are attached to each multicast group (IBTA 1.4, 10.5.2).
// The groups change in a Pause only.
class MulticastGroups {
  public:
    struct Member {
        QpContext* qp;
        const PortContext* port;
    };

    // ENOMEM when the queue pair's port has as many in the group as it may.
    Result<void> attach(const rnic::Gid& group, QpContext& qp, const PortContext& port);
    // EINVAL when the queue pair is not attached.
    Result<void> detach(const rnic::Gid& group, const QpContext& qp);
    // Detaches the queue pair from all groups.
    void forget(const QpContext& qp);

    std::span<const Member> members(const rnic::Gid& group) const {
        const auto found = groups_.find(group);
        return found == groups_.end() ? std::span<const Member>() : found->second;
    }

  private:
    std::map<rnic::Gid, std::vector<Member>> groups_;
};

}  // namespace vrdma::embedded
