// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/mcast.h"

#include <algorithm>

namespace vrdma::uverbs {
namespace {

// ATTACH_MCAST's and DETACH_MCAST's structures have the same fields.
template <typename Request>
Request request_for(uint32_t qp_handle, const rnic::Gid& gid, uint16_t lid) {
    Request request{};
    std::ranges::copy(gid, request.gid);
    request.qp_handle = qp_handle;
    request.mlid = lid;
    return request;
}

}  // namespace

McastAttachments::~McastAttachments() {
    for (const auto& [gid, attachment] : attachments_) {
        const auto request = request_for<ib_uverbs_detach_mcast>(qp_handle_, gid, attachment.lid);
        (void)execute(*context_.file, {IB_USER_VERBS_CMD_DETACH_MCAST, request});
    }
}

Result<void> McastAttachments::attach(const rnic::Gid& gid, uint16_t lid) {
    if (auto there = context_.usable(); !there) {
        return there;
    }
    std::optional<GroupLeases::Lease> group;
    // A group of InfiniBand is the subnet's, whose administrator lets hosts join.
    if (context_.port.rnic->ib_tables == nullptr) {
        GuestAddresses* addresses = context_.port.addresses.get();
        if (addresses == nullptr) {
            return fail(EOPNOTSUPP);
        }
        auto used = addresses->use_group(gid);
        if (!used) {
            return fail(used.error());
        }
        group.emplace(std::move(*used));
    }
    const auto request = request_for<ib_uverbs_attach_mcast>(qp_handle_, gid, lid);
    auto attached = context_.execute({IB_USER_VERBS_CMD_ATTACH_MCAST, request});
    if (attached) {
        attachments_.emplace(gid, Attachment{.lid = lid, .group = std::move(group)});
    }
    return attached;
}

Result<void> McastAttachments::detach(const rnic::Gid& gid) {
    const auto attachment = attachments_.find(gid);
    if (attachment == attachments_.end()) {
        return fail(EINVAL);
    }
    const auto request =
        request_for<ib_uverbs_detach_mcast>(qp_handle_, gid, attachment->second.lid);
    auto detached = context_.execute({IB_USER_VERBS_CMD_DETACH_MCAST, request});
    if (detached) {
        attachments_.erase(attachment);
    }
    return detached;
}

}  // namespace vrdma::uverbs
