// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Multicast groups that queue pairs are attached to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "rnic/attributes.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

// The groups that one queue pair is attached to.  Must be gone before the kernel's queue pair,
// which the kernel does not destroy while it is attached (uverbs_free_qp).
class McastAttachments {
  public:
    // `qp_handle` is the kernel's.  `context` outlives the object.
    McastAttachments(const ContextState& context, uint32_t qp_handle)
        : context_(context), qp_handle_(qp_handle) {}
    // Detaches the queue pair from all groups.
    ~McastAttachments();
    McastAttachments(const McastAttachments&) = delete;
    McastAttachments& operator=(const McastAttachments&) = delete;

    // ATTACH_MCAST.  Errors: EOPNOTSUPP for an RNIC without GIDs, those of
    // GuestAddresses::use_group() and ContextState::usable(), and the kernel's.
    Result<void> attach(const rnic::Gid& gid, uint16_t lid);

    // DETACH_MCAST.  Errors: EINVAL for a group that the queue pair is not attached to, those of
    // ContextState::usable(), and the kernel's.
    Result<void> detach(const rnic::Gid& gid);

    void save(state::Qp& qp) const;
    // What save() wrote.  Errors: EINVAL, and those of GuestAddresses::use_group().
    Result<void> restore(const state::Qp& saved);

  private:
    Result<std::optional<GroupLeases::Lease>> lease(const rnic::Gid& gid) const;

    struct Attachment {
        uint16_t lid;  // RoCE has no LIDs, but the kernel wants the one again that it got
        std::optional<GroupLeases::Lease> group;  // no value on InfiniBand
    };

    const ContextState& context_;
    const uint32_t qp_handle_;
    std::map<rnic::Gid, Attachment> attachments_;
};

}  // namespace vrdma::uverbs
