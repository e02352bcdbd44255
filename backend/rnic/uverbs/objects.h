// SPDX-License-Identifier: Apache-2.0
// The objects of the verbs that need nothing but their kernel objects.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <optional>

#include "memory/placed_pages.h"
#include "rnic/rnic.h"
#include "rnic/uverbs/context_state.h"
#include "rnic/uverbs/multicast_groups.h"

namespace vrdma::uverbs {

// A command that destroys by handle alone, as Request{handle}.
template <typename Request, ib_uverbs_write_cmds command>
Result<void> destroy_by_handle(UverbsFile& file, uint32_t handle) {
    return execute(file, command, Request{handle});
}

// A command that also tells how many events there were.
template <typename Request, typename Response, ib_uverbs_write_cmds command>
Result<void> destroy_with_events(UverbsFile& file, uint32_t handle) {
    Response response{};
    return execute(file, command, Request{0, handle, 0}, response);
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

class Mr final : public rnic::MemoryRegion {
  public:
    // `placed` is kept for as long as the region.
    Mr(const ContextState& context, const ib_uverbs_reg_mr_resp& kernel,
       memory::PlacedPages::Lease placed)
        : placed_(std::move(placed)),
          object_(context, kernel.mr_handle, "memory region",
                  destroy_by_handle<ib_uverbs_dereg_mr, IB_USER_VERBS_CMD_DEREG_MR>,
                  context.port.rnic->live.memory_regions),
          lkey_(kernel.lkey),
          rkey_(kernel.rkey) {}
    uint32_t lkey() const override { return lkey_; }
    uint32_t rkey() const override { return rkey_; }

  private:
    const memory::PlacedPages::Lease placed_;  // gone after the kernel's object
    KernelObject object_;
    const uint32_t lkey_;
    const uint32_t rkey_;
};

class Ah final : public rnic::AddressHandle {
  public:
    // `group` when it leads to a multicast group.
    Ah(const ContextState& context, uint32_t handle, std::optional<MulticastGroups::Lease> group)
        : group_(std::move(group)),
          object_(context, handle, "address handle",
                  destroy_by_handle<ib_uverbs_destroy_ah, IB_USER_VERBS_CMD_DESTROY_AH>,
                  context.port.rnic->live.address_handles) {}

  private:
    const std::optional<MulticastGroups::Lease> group_;
    KernelObject object_;
};

}  // namespace vrdma::uverbs
