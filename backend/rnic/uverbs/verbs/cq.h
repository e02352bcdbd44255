// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// Completion queues.
#pragma once

#include <cstdint>
#include <memory>
#include <set>

#include "rnic/rnic.h"
#include "rnic/uverbs/verbs/context_state.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

class Cq final : public rnic::CompletionQueue {
  public:
    // CREATE_CQ.  `guest_handle` is the guest's name of the queue, EINVAL unless it is below
    // VRDMA_DB_MAX_HANDLES.  attributes.cqe comes back as it really is.  `context` outlives the
    // object.
    static Result<std::unique_ptr<rnic::CompletionQueue>> create(const ContextState& context,
                                                                 uint32_t guest_handle,
                                                                 rnic::CqAttributes& attributes,
                                                                 rnic::Udata& udata);

    // `comp_vector` is the guest's.
    Cq(const ContextState& context, uint32_t handle, uint32_t guest_handle, uint32_t comp_vector);
    ~Cq() override;
    uint32_t handle() const { return object_.handle(); }

    Result<void> resize(uint32_t& cqe, rnic::Udata& udata) override;
    Result<void> save(state::Cq& cq) const override;
    // What save() wrote.
    static Result<std::unique_ptr<rnic::CompletionQueue>> restore(const ContextState& context,
                                                                  const state::Cq& saved);

    // A send queue completes here from add() until remove().
    void add(std::shared_ptr<SendQueueBell> send_queue);
    void remove(const std::shared_ptr<SendQueueBell>& send_queue);

  private:
    KernelObject object_;
    const uint32_t guest_handle_;
    const std::shared_ptr<CqBell> bell_;
    std::set<std::shared_ptr<SendQueueBell>> send_queues_;
};

}  // namespace vrdma::uverbs
