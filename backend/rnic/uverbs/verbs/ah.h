// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Address handles.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

class Ah final : public rnic::AddressHandle {
  public:
    // CREATE_AH.  `context` outlives the object.  Errors: EOPNOTSUPP for an RNIC without GIDs,
    // EINVAL for another port, those of GuestAddresses::underlay() and the kernel's.
    static Result<std::unique_ptr<rnic::AddressHandle>> create(const ContextState& context,
                                                               const rnic::ProtectionDomain& pd,
                                                               const rnic::AhAttributes& attributes,
                                                               rnic::Udata& udata);

    // `group` when the handle leads to a multicast group.
    Ah(const ContextState& context, uint32_t handle, std::optional<GroupLeases::Lease> group);

    // Work requests that the guest posted before keep the path that they were posted with.
    ~Ah() override;

    Result<void> save(state::Ah& ah) const override;
    // What save() wrote.  Errors: EINVAL, and those of GuestAddresses::use_group().
    static Result<std::unique_ptr<rnic::AddressHandle>> restore(const ContextState& context,
                                                                const state::Ah& saved);

  private:
    const std::optional<GroupLeases::Lease> group_;
    KernelObject object_;
};

}  // namespace vrdma::uverbs
