// SPDX-License-Identifier: Apache-2.0
#include "rnic/uverbs/verbs/cq.h"

#include "memory/guest_access.h"
#include "rnic/uverbs/verbs/kernel_object.h"

namespace vrdma::uverbs {

Cq::Cq(const ContextState& context, uint32_t handle, uint32_t guest_handle, uint32_t comp_vector)
    : object_(context, handle, "completion queue",
              destroy_with_events<ib_uverbs_destroy_cq, ib_uverbs_destroy_cq_resp,
                                  IB_USER_VERBS_CMD_DESTROY_CQ>,
              context.port.rnic->live.completion_queues),
      guest_handle_(guest_handle),
      bell_(std::make_shared<CqBell>(context.file, handle, comp_vector)) {
    // What an earlier CQ of this handle left there would pass for this one's.
    if (context.port.area != nullptr) {
        memory::store(&context.port.area->cq_arm[guest_handle], VRDMA_CQ_NOT_ARMED,
                      std::memory_order_release);
    }
    context.port.events.cqs().insert(guest_handle_, bell_);
}

void Cq::add(std::shared_ptr<SendQueueBell> send_queue) {
    send_queues_.insert(std::move(send_queue));
}

void Cq::remove(const std::shared_ptr<SendQueueBell>& send_queue) {
    send_queues_.erase(send_queue);
}

Result<void> Cq::resize(uint32_t& cqe, rnic::Udata& udata) {
    // What was posted before may have completed by now natively, and then counts for the size.
    for (const auto& send_queue : send_queues_) {
        (void)send_queue->ring();
    }
    ib_uverbs_resize_cq request{};
    request.cq_handle = handle();
    request.cqe = cqe;
    ib_uverbs_resize_cq_resp kernel{};
    auto resized = object_.context().execute(VRDMA_CMD_RESIZE_CQ, IB_USER_VERBS_CMD_RESIZE_CQ,
                                             request, kernel, udata);
    if (resized) {
        cqe = kernel.cqe;
    }
    return resized;
}

Cq::~Cq() {
    object_.context().port.events.cqs().erase(guest_handle_);
    bell_->silence();
}

}  // namespace vrdma::uverbs
