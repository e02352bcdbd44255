// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/verbs/cq.h"

#include <vrdma_doorbell.h>

#include <cstring>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {

Cq::Cq(Engine& engine, PortState& port, uint32_t handle, uint32_t comp_vector,
       std::shared_ptr<RingMemory> memory, Ring ring, LiveCount count, LiveCount bytes)
    : ring_(std::move(ring)),
      handle_(handle),
      comp_vector_(comp_vector),
      engine_(engine),
      port_(port),
      count_(std::move(count)),
      memory_(std::move(memory)),
      bytes_(std::move(bytes)) {
    Gate::Pause pause(engine_.gate);
    port_.cqs.emplace(handle_, this);
    if (port_.area != nullptr) use_arming(&port_.area->cq_arm[handle_]);
}

Cq::~Cq() {
    Gate::Pause pause(engine_.gate);
    port_.cqs.erase(handle_);
}

// librxe holds its lock meanwhile, so that nobody polls; it maps the new ring, and unmaps
// the old one, when it has the answer.
Result<void> Cq::resize(uint32_t& cqe, rnic::Udata& udata) {
    if (cqe == 0 || cqe > engine_.limits.max_cqe || udata.out.size() < sizeof(rxe_resize_cq_resp)) {
        return fail(EINVAL);
    }
    for (Qp* qp : port_.qps) {
        if (qp == nullptr || &qp->send_cq != this) continue;
        // One Pause for each, so that other guests' work goes on between them.
        Gate::Pause pause(engine_.gate);
        port_.worker.run_posted(*qp);
    }
    auto ring = Ring::create(*memory_, RingGeometry::fit(cqe, kCqElementSize));
    if (!ring) return fail(ring.error());
    auto bytes = LiveCount::take(engine_.live.ring_bytes, port_.live.ring_bytes, ~uint64_t{0},
                                 ring->bytes());
    {
        Gate::Pause pause(engine_.gate);
        if (!ring_.move_to(*ring)) return fail(EINVAL);
    }
    bytes_.emplace(std::move(*bytes));
    cqe = capacity();
    const rxe_resize_cq_resp response{.mi = info()};
    std::memcpy(udata.out.data(), &response, sizeof(response));
    udata.out_written = sizeof(response);
    return {};
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
