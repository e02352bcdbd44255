// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"

namespace vrdma::uverbs {

class Srq final : public rnic::SharedReceiveQueue {
  public:
    // `max_wr` is what it holds really.
    Srq(const ContextState& context, uint32_t handle, uint32_t max_wr);
    uint32_t handle() const { return object_.handle(); }

    Result<void> modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::SrqAttributes> query() override;

  private:
    KernelObject object_;
    uint32_t max_wr_;  // at least; as large as it ever was
};

}  // namespace vrdma::uverbs
