// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/port.h"

#include "rnic/embedded/verbs/ucontext.h"
#include "rnic/verbs_abi.h"

namespace vrdma::embedded {

EmbeddedPort::EmbeddedPort(std::shared_ptr<Engine> engine, const std::string& guest,
                           rnic::EventSink& sink)
    : engine_(std::move(engine)) {
    Gate::Pause pause(engine_->gate);
    state_ = std::make_unique<PortState>(guest, sink, engine_->least_busy_worker());
    state_->worker.add(*state_);
    engine_->live.ports.fetch_add(1, std::memory_order_relaxed);
    engine_->logger->debug("embedded RNIC: port for {}", guest);
}

EmbeddedPort::~EmbeddedPort() {
    Gate::Pause pause(engine_->gate);
    for (uint32_t index = 0; index < kGidTableLength; ++index) clear_gid(index);
    state_->worker.remove(*state_);
    engine_->forget_paths();
    engine_->live.ports.fetch_sub(1, std::memory_order_relaxed);
    engine_->logger->debug("embedded RNIC: port for {} is gone", state_->guest);
}

rnic::PortAttributes EmbeddedPort::query_port() {
    rnic::PortAttributes port;
    port.state = 4;  // IB_PORT_ACTIVE
    port.max_mtu = kMtu4096;
    port.active_mtu = kMtu4096;
    port.gid_tbl_len = kGidTableLength;
    port.max_msg_sz = kMaxMessage;
    port.pkey_tbl_len = 1;
    port.active_width = 2;   // IB_WIDTH_4X
    port.active_speed = 32;  // IB_SPEED_EDR: a memory copy has no line rate; 100 Gbit/s
    port.phys_state = 5;     // IB_PORT_PHYS_STATE_LINK_UP
    return port;
}

void EmbeddedPort::clear_gid(uint32_t index) {
    auto& entry = state_->gids[index];
    if (!entry) return;
    engine_->addresses.remove(*entry, *state_);
    entry.reset();
}

Result<void> EmbeddedPort::add_gid(uint32_t index, const rnic::Gid& gid, uint32_t) {
    if (index >= kGidTableLength || gid == rnic::Gid{}) return fail(EINVAL);
    Gate::Pause pause(engine_->gate);
    clear_gid(index);
    state_->gids[index] = gid;
    engine_->addresses.add(gid, *state_);
    engine_->forget_paths();
    return {};
}

Result<void> EmbeddedPort::del_gid(uint32_t index) {
    if (index >= kGidTableLength) return fail(EINVAL);
    Gate::Pause pause(engine_->gate);
    clear_gid(index);
    engine_->forget_paths();
    return {};
}

Result<std::unique_ptr<rnic::Context>> EmbeddedPort::alloc_context(rnic::Udata&) {
    return EmbeddedContext::create(*engine_, *state_);
}

void EmbeddedPort::set_memory(std::shared_ptr<const memory::GuestMemory> memory) {
    Gate::Pause pause(engine_->gate);
    state_->memory = std::move(memory);
    for (Mr* region : state_->dma_regions) region->use_guest_memory(state_->memory.get());
}

void EmbeddedPort::set_doorbells(vrdma_doorbell_area* area, int notify_fd) {
    Gate::Pause pause(engine_->gate);
    state_->worker.watch(*state_, area, notify_fd);
    for (const auto& [handle, cq] : state_->cqs) {
        cq->use_arming(area != nullptr ? &area->cq_arm[handle] : nullptr);
    }
}

}  // namespace vrdma::embedded
