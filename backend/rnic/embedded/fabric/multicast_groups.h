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
        uint64_t number;  // greater than that of each earlier member
    };

    // ENOMEM when the queue pair's port has as many in the group as it may.
    Result<void> attach(const rnic::Gid& group, QpContext& qp, const PortContext& port);
    // As attach(), with the number that the member had in another process. EINVAL for a number that
    // there cannot be, EEXIST when another member of the group has it or the queue pair is one.
    Result<void> attach_at(const rnic::Gid& group, QpContext& qp, const PortContext& port,
                           uint64_t number);
    // The member's number in the group; 0 when the queue pair is not attached.
    uint64_t number_of(const rnic::Gid& group, const QpContext& qp) const;
    // EINVAL when the queue pair is not attached.
    Result<void> detach(const rnic::Gid& group, const QpContext& qp);

    // The members with numbers from `first` on.
    std::span<const Member> members(const rnic::Gid& group, uint64_t first) const;

  private:
    std::map<rnic::Gid, std::vector<Member>> groups_;
    uint64_t last_number_ = 0;
};

}  // namespace vrdma::embedded
