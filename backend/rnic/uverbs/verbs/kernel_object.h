// SPDX-License-Identifier: Apache-2.0
// The objects of the verbs that need nothing but their kernel objects.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <optional>

#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

// A command that destroys by handle alone, as Request{handle}.
template <typename Request, ib_uverbs_write_cmds command>
Result<void> destroy_by_handle(UverbsFile& file, uint32_t handle) {
    return execute(file, {command, Request{handle}});
}

// A command that also tells how many events there were.
template <typename Request, typename Response, ib_uverbs_write_cmds command>
Result<void> destroy_with_events(UverbsFile& file, uint32_t handle) {
    Response response{};
    return execute(file, {command, Request{0, handle, 0}, response});
}

class Pd final : public rnic::ProtectionDomain {
  public:
    Pd(const ContextState& context, uint32_t handle)
        : object_(context, handle, "protection domain",
                  destroy_by_handle<ib_uverbs_dealloc_pd, IB_USER_VERBS_CMD_DEALLOC_PD>,
                  context.port.rnic->live.protection_domains) {}
    uint32_t handle() const { return object_.handle(); }

  private:
    KernelObject object_;
};

class Mw final : public rnic::MemoryWindow {
  public:
    Mw(const ContextState& context, const ib_uverbs_alloc_mw_resp& kernel)
        : object_(context, kernel.mw_handle, "memory window",
                  destroy_by_handle<ib_uverbs_dealloc_mw, IB_USER_VERBS_CMD_DEALLOC_MW>,
                  context.port.rnic->live.memory_windows),
          rkey_(kernel.rkey) {}
    uint32_t rkey() const override { return rkey_; }

  private:
    KernelObject object_;
    const uint32_t rkey_;
};

class Ah final : public rnic::AddressHandle {
  public:
    // `group` when it leads to a multicast group.
    Ah(const ContextState& context, uint32_t handle, std::optional<GroupLeases::Lease> group)
        : group_(std::move(group)),
          object_(context, handle, "address handle",
                  destroy_by_handle<ib_uverbs_destroy_ah, IB_USER_VERBS_CMD_DESTROY_AH>,
                  context.port.rnic->live.address_handles) {}

  private:
    const std::optional<GroupLeases::Lease> group_;
    KernelObject object_;
};

}  // namespace vrdma::uverbs
