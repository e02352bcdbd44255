// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/context_state.h"

namespace vrdma::uverbs {

class Cq final : public rnic::CompletionQueue {
  public:
    // `guest_handle` is below VRDMA_DB_MAX_HANDLES.
    Cq(const ContextState& context, uint32_t handle, uint32_t guest_handle, uint32_t comp_vector);
    ~Cq() override;
    uint32_t handle() const { return object_.handle(); }

    Result<void> resize(uint32_t& cqe, rnic::Udata& udata) override;

  private:
    KernelObject object_;
    const uint32_t guest_handle_;
    const std::shared_ptr<CqBell> bell_;
};

}  // namespace vrdma::uverbs
