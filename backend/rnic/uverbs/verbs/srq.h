// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Shared receive queues.
#pragma once

#include <rdma/ib_user_verbs.h>

#include <cstdint>
#include <memory>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

class Srq final : public rnic::SharedReceiveQueue {
  public:
    // CREATE_SRQ.  `guest_handle` is the guest's name of the queue.  The attributes come back as
    // they really are.  `context` outlives the object.
    static Result<std::unique_ptr<rnic::SharedReceiveQueue>> create(
        const ContextState& context, uint32_t guest_handle, const rnic::ProtectionDomain& pd,
        rnic::SrqAttributes& attributes, rnic::Udata& udata);
    // CREATE_XSRQ for a queue of XRC, likewise.
    static Result<std::unique_ptr<rnic::SharedReceiveQueue>> create_xrc(
        const ContextState& context, uint32_t guest_handle, rnic::Context::XrcSrqInit& init,
        rnic::Udata& udata);

    // `max_wr` is how many work requests the queue really holds, each of `max_sge` elements.
    // `xrcd` is null unless the queue is one of XRC.
    Srq(const ContextState& context, uint32_t handle, uint32_t max_wr, uint32_t max_sge,
        std::unique_ptr<KernelObject> xrcd);
    uint32_t handle() const { return object_.handle(); }

    Result<void> modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::SrqAttributes> query() override;
    Result<void> save(state::Srq& srq) const override;
    // What save() wrote.  `xrcd` as for the constructor.
    static Result<std::unique_ptr<rnic::SharedReceiveQueue>> restore(
        const ContextState& context, const state::Srq& saved, std::unique_ptr<KernelObject> xrcd);

  private:
    static Result<std::unique_ptr<rnic::SharedReceiveQueue>> make(
        const ContextState& context, const ib_uverbs_create_srq_resp& kernel,
        rnic::SrqAttributes& attributes, std::unique_ptr<KernelObject> xrcd);

    std::unique_ptr<KernelObject> xrcd_;  // the queue's domain in this context, or null
    KernelObject object_;
    uint32_t max_wr_;  // the size that the guest last got; the queue may hold more
    const uint32_t max_sge_;
};

}  // namespace vrdma::uverbs
