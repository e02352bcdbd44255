// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>

#include "rnic/embedded/contexts/cq_context.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/ring_pool.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Cq final : public rnic::CompletionQueue {
  public:
    // EOPNOTSUPP for flags; EINVAL for a size that the limits do not allow, for a handle in use,
    // and when udata has no room for the answer; ENOMEM. `attributes.cqe` comes back as it is.
    static Result<std::unique_ptr<Cq>> create(const PortServices& services, const RingPool& rings,
                                              uint32_t handle, rnic::CqAttributes& attributes,
                                              rnic::Udata& udata);
    // The CQ that save() wrote. EINVAL for what no CQ can be, EEXIST for a handle or a ring that is
    // another's; ENOMEM.
    static Result<std::unique_ptr<Cq>> restore(const PortServices& services, const RingPool& rings,
                                               const state::Cq& saved);
    ~Cq() override;

    Result<void> resize(uint32_t& cqe, rnic::Udata& udata) override;

    Result<void> save(state::Cq& cq) const override;

    CqContext& context() { return context_; }

  private:
    Cq(const PortServices& services, const RingPool& rings, uint32_t handle, uint32_t comp_vector,
       RingPool::CountedRing ring, bool failed, rnic::LiveCount count);
    // Elements that the ring has room for.
    uint32_t capacity() const { return context_.ring().mask(); }

    CqContext context_;
    const uint32_t handle_;
    const PortServices services_;
    const RingPool rings_;
    rnic::LiveCount count_;
    RingBytes bytes_;
};

}  // namespace vrdma::embedded
