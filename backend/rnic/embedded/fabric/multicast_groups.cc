// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/fabric/multicast_groups.h"

#include <algorithm>

#include "rnic/embedded/rings/rxe_abi.h"

namespace vrdma::embedded {

Result<void> MulticastGroups::attach(const rnic::Gid& group, QpContext& qp,
                                     const PortContext& port) {
    auto& members = groups_[group];
    if (std::ranges::find(members, &qp, &Member::qp) != members.end()) {
        return {};
    }
    // Members are counted by port, so that no guest can keep the others out.
    if (std::ranges::count(members, &port, &Member::port) >= kMaxGroupMembers) {
        return fail(ENOMEM);
    }
    members.push_back({&qp, &port, ++last_number_});
    return {};
}

Result<void> MulticastGroups::attach_at(const rnic::Gid& group, QpContext& qp,
                                        const PortContext& port, uint64_t number) {
    constexpr uint64_t kLargest = uint64_t{1} << 62;
    if (number == 0 || number > kLargest) {
        return fail(EINVAL);
    }
    auto& members = groups_[group];
    const auto next = std::ranges::lower_bound(members, number, {}, &Member::number);
    if ((next != members.end() && next->number == number) ||
        std::ranges::find(members, &qp, &Member::qp) != members.end()) {
        return fail(EEXIST);
    }
    if (std::ranges::count(members, &port, &Member::port) >= kMaxGroupMembers) {
        return fail(ENOMEM);
    }
    members.insert(next, {&qp, &port, number});
    last_number_ = std::max(last_number_, number);
    return {};
}

uint64_t MulticastGroups::number_of(const rnic::Gid& group, const QpContext& qp) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) {
        return 0;
    }
    const auto member = std::ranges::find(found->second, &qp, &Member::qp);
    return member != found->second.end() ? member->number : 0;
}

Result<void> MulticastGroups::detach(const rnic::Gid& group, const QpContext& qp) {
    const auto found = groups_.find(group);
    if (found == groups_.end() || std::erase_if(found->second, [&qp](const Member& member) {
                                      return member.qp == &qp;
                                  }) == 0) {
        return fail(EINVAL);
    }
    if (found->second.empty()) {
        groups_.erase(found);
    }
    return {};
}

std::span<const MulticastGroups::Member> MulticastGroups::members(const rnic::Gid& group,
                                                                  uint64_t first) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) {
        return {};
    }
    const std::span<const Member> all = found->second;
    return all.subspan(static_cast<size_t>(
        std::ranges::lower_bound(all, first, {}, &Member::number) - all.begin()));
}

}  // namespace vrdma::embedded
