// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Queue pairs in multicast groups.
#include <algorithm>

#include "device/verbs/verbs.h"

namespace vrdma::device::verb {
namespace {

rnic::Gid group_of(const vrdma_cmd_mcast& request) {
    rnic::Gid gid;
    std::ranges::copy(request.gid, gid.begin());
    return gid;
}

}  // namespace

Result<void> attach_mcast(Verbs& verbs, Call& call, const vrdma_cmd_mcast& request,
                          vrdma_rsp_empty&) {
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.qp));
    if (!qp) {
        return fail(qp.error());
    }
    const rnic::Gid group = group_of(request);
    if ((*qp)->groups.contains(group)) {
        return {};
    }
    auto place = verbs.budgets().multicast_attachments.charge();
    if (!place) {
        return fail(place.error());
    }
    auto attached = (*qp)->qp->attach_mcast(group, le16toh(request.lid));
    if (!attached) {
        return attached;
    }
    (*qp)->groups.emplace(group, std::move(*place));
    return {};
}

Result<void> detach_mcast(Verbs& verbs, Call& call, const vrdma_cmd_mcast& request,
                          vrdma_rsp_empty&) {
    auto qp = verbs.objects().qps.owned(call.uctx, le32toh(request.qp));
    if (!qp) {
        return fail(qp.error());
    }
    const rnic::Gid group = group_of(request);
    if (!(*qp)->groups.contains(group)) {
        return fail(EINVAL);
    }
    auto detached = (*qp)->qp->detach_mcast(group, le16toh(request.lid));
    if (!detached) {
        return detached;
    }
    (*qp)->groups.erase(group);
    return {};
}

}  // namespace vrdma::device::verb
