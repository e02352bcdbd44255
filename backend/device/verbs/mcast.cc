// SPDX-License-Identifier: Apache-2.0
// Queue pairs in multicast groups.
#include <algorithm>

#include "device/verbs/verbs.h"
#include "device/verbs/verbs_internal.h"

namespace vrdma::device {
namespace {

rnic::Gid group_of(const vrdma_cmd_mcast& request) {
    rnic::Gid gid;
    std::ranges::copy(request.gid, gid.begin());
    return gid;
}

}  // namespace

Result<void> Verbs::attach_mcast(Call& call, const vrdma_cmd_mcast& request, vrdma_rsp_empty&) {
    auto qp = owned(qps_, call, le32toh(request.qp));
    if (!qp) {
        return fail(qp.error());
    }
    const rnic::Gid group = group_of(request);
    if ((*qp)->groups.contains(group)) {
        return {};
    }
    if (multicast_attachments_ >= options_.limits.multicast_attachments) {
        log_.warn("{}: limit reached: {} multicast attachments; the verb gets {}", options_.guest,
                  options_.limits.multicast_attachments, to_string(Errno{EDQUOT}));
        return fail(EDQUOT);
    }
    auto attached = (*qp)->qp->attach_mcast(group, le16toh(request.lid));
    if (!attached) {
        return attached;
    }
    (*qp)->groups.insert(group);
    ++multicast_attachments_;
    return {};
}

Result<void> Verbs::detach_mcast(Call& call, const vrdma_cmd_mcast& request, vrdma_rsp_empty&) {
    auto qp = owned(qps_, call, le32toh(request.qp));
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
    --multicast_attachments_;
    return {};
}

}  // namespace vrdma::device
