// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "result.h"
#include "rnic/attributes.h"

namespace vrdma::embedded {

class Qp;

// Which queue pairs, of all ports, are attached to a multicast group (IBTA 1.4, 10.5.2).
// Changed in a Pause only.
class MulticastGroups {
  public:
    // ENOMEM when the queue pair's port has as many in the group as it may.
    Result<void> attach(const rnic::Gid& group, Qp& qp);
    // EINVAL when it is not attached.
    Result<void> detach(const rnic::Gid& group, Qp& qp);
    // Detaches it from all.
    void forget(Qp& qp);

    std::span<Qp* const> members(const rnic::Gid& group) const {
        const auto found = groups_.find(group);
        return found == groups_.end() ? std::span<Qp* const>() : found->second;
    }

  private:
    std::map<rnic::Gid, std::vector<Qp*>> groups_;
};

}  // namespace vrdma::embedded
