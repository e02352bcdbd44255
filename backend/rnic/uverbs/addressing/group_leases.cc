// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/addressing/group_leases.h"

namespace vrdma::uverbs {

GroupLeases::Lease::~Lease() {
    if (groups_ == nullptr) {
        return;
    }
    const std::lock_guard lock(groups_->mutex_);
    const auto group = groups_->groups_.find(group_);
    if (--group->second.users == 0) {
        groups_->groups_.erase(group);
    }
}

Result<GroupLeases::Lease> GroupLeases::use(const std::string& network, const rnic::Gid& gid) {
    const std::lock_guard lock(mutex_);
    Group& group = groups_[gid];
    if (group.users != 0 && group.network != network) {
        return fail(EADDRINUSE);
    }
    group.network = network;
    ++group.users;
    return Lease(*this, gid);
}

}  // namespace vrdma::uverbs
