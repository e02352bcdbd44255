// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rdma/ib_user_verbs.h>

#include <map>
#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/addressing/group_leases.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/cq.h"

namespace vrdma::uverbs {

class Qp final : public rnic::QueuePair {
  public:
    // `guest_handle` is below VRDMA_DB_MAX_HANDLES.
    Qp(const ContextState& context, const ib_uverbs_create_qp_resp& kernel, uint32_t guest_handle,
       uint8_t qp_type, Cq& send_cq);
    ~Qp() override;

    uint32_t qp_num() const override { return qp_num_; }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t lid) override;

  private:
    struct Attachment {
        uint16_t lid;
        GroupLeases::Lease group;
    };

    Result<void> detach(const rnic::Gid& gid, uint16_t lid);
    void take_doorbell();

    KernelObject object_;
    const uint32_t qp_num_;
    const uint32_t guest_handle_;
    Cq& send_cq_;
    const std::shared_ptr<SendQueueBell> bell_;  // null when the library rings by itself
    rnic::AhAttributes guest_ah_;                // the address vector as the guest gave it
    std::map<rnic::Gid, Attachment> attachments_;
};

}  // namespace vrdma::uverbs
