// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// An object that the kernel made for a guest, whatever kind it is of.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "budget.h"
#include "rnic/live_objects.h"
#include "rnic/uverbs/kernel/uverbs.h"
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

// A kind of object that the kernel makes.
struct KernelObjectKind {
    std::string_view name;  // in the log
    Result<void> (*destroy)(UverbsFile& file, uint32_t handle);
    rnic::LiveObjects::Counter rnic::LiveObjects::*counter;  // or null
};

// Destroys by a command that has the handle alone, as Request{handle}.
template <typename Request, ib_uverbs_write_cmds command>
Result<void> destroy_by_handle(UverbsFile& file, uint32_t handle) {
    return execute(file, {command, Request{handle}});
}

// Destroys by a command that also tells how many events there were.
template <typename Request, typename Response, ib_uverbs_write_cmds command>
Result<void> destroy_with_events(UverbsFile& file, uint32_t handle) {
    Response response{};
    return execute(file, {command, Request{0, handle, 0}, response});
}

// An object that the kernel made for a guest.  Destroys it with itself, except while the RNIC
// stands still: then it is another process' as well, whose objects stay if this one's do not come
// to be.
class KernelObject {
  public:
    // `handle` is the kernel's.  `context` and `kind` outlive the object.
    KernelObject(const ContextState& context, const KernelObjectKind& kind, uint32_t handle)
        : context_(context), kind_(kind), handle_(handle) {
        if (kind.counter != nullptr) {
            count_.emplace(context.port.rnic->live.*kind.counter);
        }
    }
    ~KernelObject();
    KernelObject(const KernelObject&) = delete;
    KernelObject& operator=(const KernelObject&) = delete;

    const ContextState& context() const { return context_; }
    uint32_t handle() const { return handle_; }  // the kernel's

    // What the object takes of the guest's budgets, in place of what it took before.
    void hold(Charge charge) { charge_ = std::move(charge); }
    uint64_t held() const { return charge_.amount(); }
    // As hold(), for what the object took of the rings' budget in another process.
    void take_rings(uint64_t bytes) {
        if (bytes != 0) {
            hold(rnic::take(context_.port.budgets.ring_bytes, bytes));
        }
    }

    // Destroys it now, for a verb that may fail.  Errors: the kernel's.
    Result<void> destroy();

  private:
    const ContextState& context_;
    const KernelObjectKind& kind_;
    const uint32_t handle_;
    bool destroyed_ = false;
    std::optional<rnic::LiveCount> count_;
    Charge charge_;
};

}  // namespace vrdma::uverbs
