// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <cstdint>
#include <span>

#include "rnic/embedded/fabric/gid_table.h"
#include "rnic/embedded/fabric/multicast_groups.h"
#include "rnic/embedded/fabric/qp_table.h"

namespace vrdma::embedded {

// Stands in for switches and cables: knows which port and queue pair an address reaches.
// Workers look things up; the verbs change them in a Pause only.
class Fabric {
  public:
    GidTable::Place find_place(const rnic::Gid& gid, Segment segment) const {
        return gids_.find(gid, segment);
    }
    PortContext* find_port(const rnic::Gid& gid, Segment segment) const {
        return gids_.find(gid, segment).port;
    }
    QpContext* find_qp(uint32_t number) const { return qps_.find(number); }
    std::span<const MulticastGroups::Member> members(const rnic::Gid& group, uint64_t first) const {
        return groups_.members(group, first);
    }

    // Answers who has the address now.
    PortContext& add_gid(const rnic::Gid& gid, Segment segment, PortContext& port) {
        return gids_.add(gid, segment, port);
    }
    // As add_gid(), for a claim of another process.
    PortContext& restore_gid(const rnic::Gid& gid, Segment segment, PortContext& port,
                             uint64_t claim) {
        return gids_.add_at(gid, segment, port, claim);
    }
    uint64_t claim_of(const rnic::Gid& gid, Segment segment, const PortContext& port) const {
        return gids_.claim_of(gid, segment, port);
    }
    void remove_gid(const rnic::Gid& gid, Segment segment, PortContext& port) {
        gids_.remove(gid, segment, port);
    }
    // Answers the queue pair's number, or 0 when there is none left.
    uint32_t add_qp(QpContext& qp) { return qps_.insert(qp); }
    QpTable& qps() { return qps_; }
    void remove_qp(uint32_t number) { qps_.erase(number); }

    MulticastGroups& groups() { return groups_; }

  private:
    GidTable gids_;
    QpTable qps_;
    MulticastGroups groups_;
};

}  // namespace vrdma::embedded
