// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// ATTACH_MCAST and DETACH_MCAST (IBTA 1.4, 11.3.1).
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {

Result<void> Qp::attach_mcast(const rnic::Gid& gid, uint16_t) {
    if (context_.type() != QpType::kUd) {
        return fail(EINVAL);
    }
    const Gate::Pause pause(services_.gate);
    auto attached = services_.fabric.groups().attach(gid, context_, services_.port);
    if (attached) {
        ++groups_;
    }
    return attached;
}

Result<void> Qp::detach_mcast(const rnic::Gid& gid, uint16_t) {
    const Gate::Pause pause(services_.gate);
    auto detached = services_.fabric.groups().detach(gid, context_);
    if (detached) {
        --groups_;
    }
    return detached;
}

// Called in a Pause. A queue pair that was never attached need not be looked for in all groups.
void Qp::leave_groups() {
    if (groups_ != 0) {
        services_.fabric.groups().forget(context_);
        groups_ = 0;
    }
}

}  // namespace vrdma::embedded
