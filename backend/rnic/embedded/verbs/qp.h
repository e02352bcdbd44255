// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/ring_pool.h"
#include "rnic/rnic.h"

namespace vrdma::embedded {

class Qp final : public rnic::QueuePair {
  public:
    // EINVAL for what the limits do not allow, for a handle in use, and when udata has no room for
    // the answer; EBUSY for a second QP 1; EOPNOTSUPP for a type that is not offered; ENOMEM.
    // The capabilities in `init` come back as they are.
    static Result<std::unique_ptr<Qp>> create(const PortServices& services, const RingPool& rings,
                                              uint32_t handle, rnic::Context::QpInit& init,
                                              rnic::Udata& udata);
    ~Qp() override;

    uint32_t qp_num() const override { return context_.number(); }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& wanted,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;
    // mcast.cc
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t lid) override;

  private:
    struct Rings {
        RingPool::CountedRing send;
        std::optional<RingPool::CountedRing> receive;  // none with an SRQ
    };
    static Result<Rings> create_rings(const RingPool& rings, rnic::Context::QpInit& init);
    Qp(const PortServices& services, uint32_t handle, const rnic::Context::QpInit& init,
       Rings rings, rnic::LiveCount count);
    Result<void> take_number();
    Result<void> check(uint32_t attr_mask, const rnic::QpAttributes& wanted) const;
    void apply(uint32_t attr_mask, const rnic::QpAttributes& wanted);
    void enter(QpState from, QpState to);
    void forget_peer();
    void reset();
    void leave_groups();

    QpContext context_;
    const PortServices services_;
    std::vector<rnic::Gid> groups_;  // that the queue pair is attached to
    rnic::LiveCount count_;
    RingBytes send_bytes_;
    std::optional<RingBytes> receive_bytes_;
};

}  // namespace vrdma::embedded
