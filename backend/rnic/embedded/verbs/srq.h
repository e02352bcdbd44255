// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <span>

#include "rnic/embedded/contexts/srq_context.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/ring_pool.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Srq final : public rnic::SharedReceiveQueue {
  public:
    // EINVAL for what the limits do not allow, and when udata has no room for the answer; ENOMEM.
    // `attributes.max_wr` comes back as it is.
    static Result<std::unique_ptr<Srq>> create(const PortServices& services, const RingPool& rings,
                                               uint32_t handle, const Pd& pd,
                                               rnic::SrqAttributes& attributes, rnic::Udata& udata);
    // The SRQ that save() wrote. EINVAL for what no SRQ can be, EEXIST for a ring that is
    // another's; ENOMEM.
    static Result<std::unique_ptr<Srq>> restore(const PortServices& services, const RingPool& rings,
                                                const Pd& pd, const state::Srq& saved);

    Result<void> modify(uint32_t attr_mask, const rnic::SrqAttributes& attributes,
                        rnic::Udata& udata) override;
    Result<rnic::SrqAttributes> query() override;

    Result<void> save(state::Srq& srq) const override;

    SrqContext& context() { return context_; }

  private:
    Srq(const PortServices& services, const RingPool& rings, uint32_t handle, const Pd& pd,
        const rnic::SrqAttributes& attributes, RingPool::CountedRing ring, rnic::LiveCount count);
    Result<void> resize(uint32_t max_wr, std::span<rnic::UdataRegion> regions);

    SrqContext context_;
    uint32_t max_wr_;
    const uint32_t max_sge_;
    const PortServices services_;
    const RingPool rings_;
    rnic::LiveCount count_;
    RingBytes bytes_;
};

}  // namespace vrdma::embedded
