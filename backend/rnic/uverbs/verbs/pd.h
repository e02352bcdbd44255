// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Protection domains.
#pragma once

#include <cstdint>
#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

class Pd final : public rnic::ProtectionDomain {
  public:
    // ALLOC_PD.  `context` outlives the object.
    static Result<std::unique_ptr<rnic::ProtectionDomain>> create(const ContextState& context,
                                                                  rnic::Udata& udata);

    Pd(const ContextState& context, uint32_t handle);
    uint32_t handle() const { return object_.handle(); }
    Result<void> save(state::Pd& pd) const override;
    // What save() wrote.
    static Result<std::unique_ptr<rnic::ProtectionDomain>> restore(const ContextState& context,
                                                                   const state::Pd& saved);

  private:
    KernelObject object_;
};

// The kernel's handle of a protection domain that Pd::create() made.
inline uint32_t handle_of(const rnic::ProtectionDomain& pd) {
    return static_cast<const Pd&>(pd).handle();
}

}  // namespace vrdma::uverbs
