// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/port.h"

#include <infiniband/verbs.h>

#include "rnic/embedded/contexts/qp_context.h"
#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/ucontext.h"

namespace vrdma::embedded {
namespace {

// Values that libibverbs has no names for; the names behind them are the kernel's.
constexpr uint32_t kPortCmSupported = 1 << 16;  // IB_PORT_CM_SUP, as rxe
constexpr uint8_t kWidth4x = 2;                 // IB_WIDTH_4X
constexpr uint16_t kSpeedEdr = 32;              // IB_SPEED_EDR
constexpr uint16_t kMaxVlan = 4094;             // IEEE 802.1Q, 9.6
constexpr uint8_t kPhysLinkUp = 5;              // IB_PORT_PHYS_STATE_LINK_UP

}  // namespace

EmbeddedPort::EmbeddedPort(const std::shared_ptr<RnicState>& rnic, const std::string& guest,
                           rnic::EventSink& sink)
    : EmbeddedPort(rnic, guest, sink, Gate::Pause(rnic->engine.gate())) {}

EmbeddedPort::EmbeddedPort(std::shared_ptr<RnicState> rnic, const std::string& guest,
                           rnic::EventSink& sink, const Gate::Pause&)
    : rnic_(std::move(rnic)),
      guest_(guest),
      worker_(rnic_->engine.least_busy_worker()),
      context_(sink, worker_.calls()),
      quota_(rnic_->usage, rnic_->limits),
      services_{rnic_->engine.gate(), quota_, context_, worker_, rnic_->engine.fabric()},
      count_(rnic_->usage.ports) {
    worker_.add(context_);
    rnic_->logger->debug("embedded RNIC: port for {}", guest_);
}

EmbeddedPort::~EmbeddedPort() {
    const Gate::Pause pause(services_.gate);
    for (uint32_t index = 0; index < kGidTableLength; ++index) {
        clear_gid(index);
    }
    worker_.remove(context_);
    services_.fabric.forget_paths();
    rnic_->logger->debug("embedded RNIC: port for {} is gone", guest_);
}

rnic::PortAttributes EmbeddedPort::query_port() {
    rnic::PortAttributes port;
    port.state = IBV_PORT_ACTIVE;
    port.max_mtu = kMtu4096;
    port.active_mtu = kMtu4096;
    port.gid_tbl_len = kGidTableLength;
    port.port_cap_flags = kPortCmSupported;
    port.max_msg_sz = kMaxMessage;
    port.pkey_tbl_len = 1;
    port.active_width = kWidth4x;
    port.active_speed = kSpeedEdr;  // 100 Gbit/s: a memory copy has no line rate
    port.phys_state = kPhysLinkUp;
    return port;
}

Result<rnic::Counters> EmbeddedPort::query_counters() {
    // Without a Pause, which would stop the traffic of all guests. Only this guest's verbs change
    // the list of its queue pairs, and no verb runs beside another one.
    rnic::Counters counters = context_.past_traffic();
    for (const QpContext* qp : context_.qps()) {
        if (qp != nullptr) {
            qp->add_to(counters);
        }
    }
    for (size_t n = 0; n < counters.size(); ++n) {
        counters[n] += context_.errors().at(n);
    }
    return counters;
}

// Called in a Pause.
void EmbeddedPort::clear_gid(uint32_t index) {
    if (context_.has_gid(index)) {
        services_.fabric.remove_gid(context_.gid(index), context_.vlan(index), context_);
        context_.clear_gid(index);
    }
}

Result<void> EmbeddedPort::add_gid(uint32_t index, const rnic::Gid& gid, uint32_t, uint16_t vlan) {
    if (index >= kGidTableLength || gid == rnic::Gid{} ||
        (vlan > kMaxVlan && vlan != rnic::kNoVlan)) {
        return fail(EINVAL);
    }
    const Gate::Pause pause(services_.gate);
    clear_gid(index);
    context_.set_gid(index, gid, vlan);
    services_.fabric.add_gid(gid, vlan, context_);
    return {};
}

Result<void> EmbeddedPort::del_gid(uint32_t index) {
    if (index >= kGidTableLength) {
        return fail(EINVAL);
    }
    const Gate::Pause pause(services_.gate);
    clear_gid(index);
    return {};
}

Result<std::unique_ptr<rnic::Context>> EmbeddedPort::alloc_context(rnic::Udata&) {
    return EmbeddedContext::create(services_);
}

void EmbeddedPort::set_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    const Gate::Pause pause(services_.gate);
    context_.keys().set_guest_memory(std::move(memory));
}

void EmbeddedPort::set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
    const Gate::Pause pause(services_.gate);
    worker_.watch(context_, area, notify_fd);
}

Result<void> EmbeddedPort::set_traffic_limits(const rnic::TrafficLimits& limits) {
    if (!rnic::is_valid(limits)) {
        return fail(EINVAL);
    }
    const Gate::Pause pause(services_.gate);
    worker_.limit(context_, limits);
    return {};
}

}  // namespace vrdma::embedded
