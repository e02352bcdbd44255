// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/ring_pool.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

class Qp final : public rnic::QueuePair {
  public:
    // EINVAL for what the limits do not allow, for a handle in use, and when udata has no room for
    // the answer; EBUSY for a second QP 1; EOPNOTSUPP for a type that is not offered; ENOMEM.
    // The capabilities in `init` come back as they are.
    static Result<std::unique_ptr<Qp>> create(const PortServices& services, const RingPool& rings,
                                              uint32_t handle, rnic::Context::QpInit& init,
                                              rnic::Udata& udata);
    // The queue pair that save() wrote, with `pointers` to what it refers to. It goes on after the
    // pause. EINVAL for what no queue pair can be, EEXIST for a handle, number or ring that is
    // another's; ENOMEM.
    static Result<std::unique_ptr<Qp>> restore(const PortServices& services, const RingPool& rings,
                                               const rnic::Context::QpInit& pointers,
                                               const state::Qp& saved);
    ~Qp() override;

    uint32_t qp_num() const override { return context_.number(); }
    Result<void> modify(uint32_t attr_mask, const rnic::QpAttributes& wanted,
                        rnic::Udata& udata) override;
    Result<rnic::QpAttributes> query() override;
    // qp_saved.cc
    Result<void> save(state::Qp& qp) const override;
    // mcast.cc
    Result<void> attach_mcast(const rnic::Gid& gid, uint16_t lid) override;
    Result<void> detach_mcast(const rnic::Gid& gid, uint16_t lid) override;

  private:
    struct Rings {
        RingPool::CountedRing send;
        std::optional<RingPool::CountedRing> receive;  // none with an SRQ
    };
    static Result<void> check_capabilities(rnic::Context::QpInit& init,
                                           const EmbeddedLimits& limits);
    static size_t send_element_size(const rnic::QpCapabilities& cap);
    static size_t receive_element_size(const rnic::QpCapabilities& cap);
    static void settle_send_capabilities(rnic::QpCapabilities& cap, uint32_t capacity);
    static Result<Rings> create_rings(const RingPool& rings, rnic::Context::QpInit& init);
    static Result<Rings> restore_rings(const EmbeddedLimits& limits, const RingPool& rings,
                                       rnic::Context::QpInit& init, const state::EmbeddedQp& saved);
    Qp(const PortServices& services, uint32_t handle, const rnic::Context::QpInit& init,
       Rings rings, rnic::LiveCount count);
    Result<void> take_number();
    Result<void> check(uint32_t attr_mask, const rnic::QpAttributes& wanted) const;
    void apply(uint32_t attr_mask, const rnic::QpAttributes& wanted);
    void enter(QpState from, QpState to);
    void forget_peer();
    void reset();
    void leave_groups();
    void save_send(state::EmbeddedSend& saved) const;
    void save_receive(state::EmbeddedReceive& saved) const;
    Result<void> go_on(const rnic::QpAttributes& attributes, const state::Qp& saved);
    Result<void> take_number_again(uint32_t number);
    Result<void> rejoin(const std::string& group, uint64_t member);

    QpContext context_;
    const PortServices services_;
    std::vector<rnic::Gid> groups_;  // that the queue pair is attached to
    rnic::LiveCount count_;
    RingBytes send_bytes_;
    std::optional<RingBytes> receive_bytes_;
};

}  // namespace vrdma::embedded
