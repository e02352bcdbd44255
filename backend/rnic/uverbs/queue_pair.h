// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rdma/ib_user_verbs.h>

#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/context_state.h"

namespace vrdma::uverbs {

class Qp final : public rnic::QueuePair {
  public:
    // `guest_handle` is below VRDMA_DB_MAX_HANDLES.
    Qp(const ContextState& context, const ib_uverbs_create_qp_resp& kernel, uint32_t guest_handle,
       uint8_t qp_type);
    ~Qp() override;

    uint32_t qp_num() const override { return qp_num_; }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;

  private:
    KernelObject object_;
    const uint32_t qp_num_;
    const uint32_t guest_handle_;
    const std::shared_ptr<SendQueueBell> bell_;  // null when the library rings by itself
    rnic::AhAttributes guest_ah_;                // the address vector as the guest gave it
};

}  // namespace vrdma::uverbs
