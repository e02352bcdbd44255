// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/fabric/multicast_groups.h"

#include <algorithm>
#include <iterator>

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {

Result<void> MulticastGroups::attach(const rnic::Gid& group, Qp& qp) {
    auto& members = groups_[group];
    if (std::ranges::find(members, &qp) != members.end()) return {};
    // Counted by port, so that no guest can keep the others out.
    const auto own = std::ranges::count_if(
        members, [&qp](const Qp* member) { return &member->port == &qp.port; });
    if (own >= kMaxGroupMembers) return fail(ENOMEM);
    members.push_back(&qp);
    ++qp.groups;
    return {};
}

Result<void> MulticastGroups::detach(const rnic::Gid& group, Qp& qp) {
    const auto found = groups_.find(group);
    if (found == groups_.end() || std::erase(found->second, &qp) == 0) return fail(EINVAL);
    --qp.groups;
    if (found->second.empty()) groups_.erase(found);
    return {};
}

void MulticastGroups::forget(Qp& qp) {
    if (qp.groups == 0) return;
    for (auto entry = groups_.begin(); entry != groups_.end();) {
        std::erase(entry->second, &qp);
        entry = entry->second.empty() ? groups_.erase(entry) : std::next(entry);
    }
    qp.groups = 0;
}

}  // namespace vrdma::embedded
