// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rate_limited_log.h"
#include "rnic/embedded/contexts/port_context.h"
#include "rnic/embedded/rnic_state.h"
#include "rnic/embedded/verbs/guest_gate.h"
#include "rnic/embedded/verbs/port_services.h"
#include "rnic/embedded/verbs/quota.h"
#include "rnic/rnic.h"
#include "state/device.pb.h"

namespace vrdma::embedded {

// One guest's port.
class EmbeddedPort final : public rnic::Port {
  public:
    EmbeddedPort(const std::shared_ptr<RnicState>& rnic, const std::string& guest,
                 rnic::EventSink& sink);
    ~EmbeddedPort() override;

    rnic::PortAttributes query_port() override;
    Result<rnic::Counters> query_counters() override;
    std::optional<rnic::PortActivity> query_activity() override {
        return context_.activity().read();
    }
    Result<void> add_gid(uint32_t index, const rnic::Gid& gid, uint32_t type,
                         uint16_t vlan) override;
    Result<void> del_gid(uint32_t index) override;
    Result<std::unique_ptr<rnic::Context>> alloc_context(rnic::Udata& udata) override;
    Result<void> save(state::Port& port, state::FilesToSend& files) const override;
    Result<void> restore(const state::Port& saved, state::ReceivedFiles& files) override;
    Result<std::unique_ptr<rnic::Context>> restore_context(const state::Context& saved,
                                                           state::ReceivedFiles& files) override;
    void set_memory(std::shared_ptr<const memory::GuestMemory> memory) override;
    void set_doorbells(vrdma_doorbell_area* area, int notify_fd) override;
    Result<void> set_traffic_limits(const rnic::TrafficLimits& limits) override;
    void set_budgets(const rnic::PortBudgets& budgets) override;

  private:
    EmbeddedPort(std::shared_ptr<RnicState> rnic, const std::string& guest, rnic::EventSink& sink,
                 const Gate::Pause& pause);
    void clear_gid(uint32_t index);
    Result<void> claim_gid(uint32_t index, const rnic::Gid& gid, uint16_t vlan,
                           std::optional<uint64_t> claim);
    Result<void> restore_gids(const state::Port& saved);

    const std::shared_ptr<RnicState> rnic_;
    const std::string guest_;
    RateLimitedLog address_log_;
    Worker& worker_;
    PortContext context_;
    Quota quota_;
    GuestGate gate_;
    const PortServices services_;
    rnic::LiveCount count_;
};

}  // namespace vrdma::embedded
