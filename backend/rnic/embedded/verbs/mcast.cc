// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// ATTACH_MCAST and DETACH_MCAST (IBTA 1.4, 11.3.1).
#include <algorithm>

#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {

Result<void> Qp::attach_mcast(const rnic::Gid& gid, uint16_t) {
    if (context_.type() != QpType::kUd) {
        return fail(EINVAL);
    }
    groups_.reserve(groups_.size() + 1);
    const GuestGate::Pause pause(services_.gate);
    auto attached = services_.fabric.groups().attach(gid, context_, services_.port);
    if (attached && std::ranges::find(groups_, gid) == groups_.end()) {
        groups_.push_back(gid);
    }
    return attached;
}

Result<void> Qp::detach_mcast(const rnic::Gid& gid, uint16_t) {
    const GuestGate::Pause pause(services_.gate);
    auto detached = services_.fabric.groups().detach(gid, context_);
    if (detached) {
        std::erase(groups_, gid);
    }
    return detached;
}

// One Pause for each group.
void Qp::leave_groups() {
    while (!groups_.empty()) {
        const GuestGate::Pause pause(services_.gate);
        services_.fabric.groups().detach(groups_.back(), context_);
        groups_.pop_back();
    }
}

}  // namespace vrdma::embedded
