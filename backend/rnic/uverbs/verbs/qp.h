// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Queue pairs.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/cq.h"
#include "rnic/uverbs/verbs/kernel_object.h"
#include "rnic/uverbs/verbs/mcast.h"

namespace vrdma::uverbs {

class Qp final : public rnic::QueuePair {
  public:
    // CREATE_QP.  `guest_handle` is the guest's name of the queue pair, EINVAL unless it is below
    // VRDMA_DB_MAX_HANDLES.  init.cap comes back as it really is.  EOPNOTSUPP for types that a
    // guest does not get.  `context` outlives the object.
    static Result<std::unique_ptr<rnic::QueuePair>> create(const ContextState& context,
                                                           uint32_t guest_handle,
                                                           rnic::Context::QpInit& init,
                                                           rnic::Udata& udata);

    // CREATE_QP for a target of the XRC domain with this handle, likewise.  `context` is that of
    // the domain.  The library's private bytes are not the guest's, whose context is another, but
    // the table's.
    static Result<std::unique_ptr<rnic::QueuePair>> create_target(const ContextState& context,
                                                                  uint32_t guest_handle,
                                                                  uint32_t xrcd_handle,
                                                                  rnic::Context::QpInit& init);

    // `send_cq` is null for a target of XRC.
    Qp(const ContextState& context, const ib_uverbs_create_qp_resp& kernel, uint32_t guest_handle,
       uint8_t qp_type, Cq* send_cq);
    ~Qp() override;

    uint32_t qp_num() const override { return qp_num_; }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> save(state::Qp& qp) const override;
    // What save() wrote, with `pointers` to what the queue pair refers to; to nothing for a target
    // of XRC.
    static Result<std::unique_ptr<rnic::QueuePair>> restore(const ContextState& context,
                                                            const rnic::Context::QpInit& pointers,
                                                            const state::Qp& saved);

  private:
    void take_doorbell();
    bool receives_datagrams(uint32_t attr_mask, const rnic::QpAttributes& attributes) const;

    KernelObject object_;
    const rnic::QpType qp_type_;
    const uint32_t qp_num_;
    const uint32_t guest_handle_;
    Cq* const send_cq_;
    // Null when the library rings by itself, or nothing is sent.
    const std::shared_ptr<SendQueueBell> bell_;
    rnic::AhAttributes guest_ah_;    // the address vector as the guest gave it
    uint16_t guest_pkey_index_ = 0;  // likewise
    McastAttachments mcast_;
};

}  // namespace vrdma::uverbs
