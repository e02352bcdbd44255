// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/mcast.h"

#include <algorithm>
#include <limits>

#include "rnic/attributes_state.h"

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
    if (context_.port.rnic->standstill.lasts()) {
        return;  // as ~KernelObject()
    }
    for (const auto& [gid, attachment] : attachments_) {
        const auto request = request_for<ib_uverbs_detach_mcast>(qp_handle_, gid, attachment.lid);
        (void)execute(*context_.file, {IB_USER_VERBS_CMD_DETACH_MCAST, request});
    }
}

// None on InfiniBand: a group there is the subnet's, whose administrator lets hosts join.
Result<std::optional<GroupLeases::Lease>> McastAttachments::lease(const rnic::Gid& gid) const {
    if (context_.port.rnic->ib_tables != nullptr) {
        return std::nullopt;
    }
    GuestAddresses* addresses = context_.port.addresses.get();
    if (addresses == nullptr) {
        return fail(EOPNOTSUPP);
    }
    auto used = addresses->use_group(gid);
    if (!used) {
        return fail(used.error());
    }
    return std::optional<GroupLeases::Lease>(std::move(*used));
}

Result<void> McastAttachments::attach(const rnic::Gid& gid, uint16_t lid) {
    if (auto there = context_.usable(); !there) {
        return there;
    }
    auto group = lease(gid);
    if (!group) {
        return fail(group.error());
    }
    const auto request = request_for<ib_uverbs_attach_mcast>(qp_handle_, gid, lid);
    auto attached = context_.execute({IB_USER_VERBS_CMD_ATTACH_MCAST, request});
    if (attached) {
        attachments_.emplace(gid, Attachment{.lid = lid, .group = std::move(*group)});
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

void McastAttachments::save(state::Qp& qp) const {
    for (const auto& [gid, attachment] : attachments_) {
        qp.add_groups(rnic::save_gid(gid));
        qp.mutable_uverbs()->add_group_lids(attachment.lid);
    }
}

Result<void> McastAttachments::restore(const state::Qp& saved) {
    if (saved.groups_size() != saved.uverbs().group_lids_size()) {
        return fail(EINVAL);
    }
    for (int n = 0; n < saved.groups_size(); ++n) {
        const auto gid = rnic::restore_gid(saved.groups(n));
        const uint32_t lid = saved.uverbs().group_lids(n);
        if (!gid || lid > std::numeric_limits<uint16_t>::max()) {
            return fail(EINVAL);
        }
        auto group = lease(*gid);
        if (!group) {
            return fail(group.error());
        }
        attachments_.emplace(
            *gid, Attachment{.lid = static_cast<uint16_t>(lid), .group = std::move(*group)});
    }
    return {};
}

}  // namespace vrdma::uverbs
