// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Memory windows.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

class Mw final : public rnic::MemoryWindow {
  public:
    // ALLOC_MW.  `context` outlives the object.
    static Result<std::unique_ptr<rnic::MemoryWindow>> create(const ContextState& context,
                                                              const rnic::ProtectionDomain& pd,
                                                              uint8_t type, rnic::Udata& udata);

    Mw(const ContextState& context, const ib_uverbs_alloc_mw_resp& kernel);
    uint32_t rkey() const override { return rkey_; }
    Result<void> save(state::Mw& mw) const override;
    // What save() wrote.
    static Result<std::unique_ptr<rnic::MemoryWindow>> restore(const ContextState& context,
                                                               const state::Mw& saved);

  private:
    KernelObject object_;
    const uint32_t rkey_;
};

}  // namespace vrdma::uverbs
