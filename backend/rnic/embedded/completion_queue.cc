// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/completion_queue.h"

#include <vrdma_doorbell.h>

#include "rnic/embedded/engine.h"

namespace vrdma::embedded {

Cq::Cq(Engine& engine, PortState& port, uint32_t handle, uint32_t comp_vector, Ring ring,
       LiveCount count, LiveCount bytes)
    : ring_(std::move(ring)),
      handle_(handle),
      comp_vector_(comp_vector),
      engine_(engine),
      port_(port),
      count_(std::move(count)),
      bytes_(std::move(bytes)) {
    Gate::Pause pause(engine_.gate);
    port_.cqs.emplace(handle_, this);
    if (port_.area != nullptr) use_arming(&port_.area->cq_arm[handle_]);
}

Cq::~Cq() {
    Gate::Pause pause(engine_.gate);
    port_.cqs.erase(handle_);
}

void Cq::notify(__le32 arming, bool solicited) {
    if (arming == VRDMA_CQ_ARM_SOLICITED && !solicited) return;
    if (memory::exchange(arming_, VRDMA_CQ_NOT_ARMED, std::memory_order_seq_cst) != 0) {
        port_.sink.completion(comp_vector_, handle_);
    }
}

bool Cq::overflow() {
    const bool first = !failed_.exchange(true, std::memory_order_relaxed);
    lock_.unlock();
    if (first) {
        port_.sink.async_event(rnic::AsyncEventType::kCqError, handle_);
        engine_.report_failed_cq(port_);
    }
    return false;
}

}  // namespace vrdma::embedded
