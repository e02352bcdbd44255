// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <vector>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::embedded {

class PortContext;  // both known here by their addresses only
class QpContext;

// Which queue pairs, of all ports, are attached to a multicast group (IBTA 1.4, 10.5.2).
// Changes in a Pause only.
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
