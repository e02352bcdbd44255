// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/uverbs/verbs/cq.h"

#include "memory/guest_access.h"
#include "rnic/uverbs/verbs/kernel_rings.h"

namespace vrdma::uverbs {
namespace {

constexpr KernelObjectKind kCqKind{
    .name = "completion queue",
    .destroy = destroy_with_events<ib_uverbs_destroy_cq, ib_uverbs_destroy_cq_resp,
                                   IB_USER_VERBS_CMD_DESTROY_CQ>,
    .counter = &rnic::LiveObjects::completion_queues,
};

}  // namespace

Result<std::unique_ptr<rnic::CompletionQueue>> Cq::create(const ContextState& context,
                                                          uint32_t guest_handle,
                                                          rnic::CqAttributes& attributes,
                                                          rnic::Udata& udata) {
    if (guest_handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    ib_uverbs_create_cq plain{};
    plain.user_handle = guest_handle;
    plain.cqe = attributes.cqe;
    plain.comp_vector = attributes.comp_vector % context.comp_vectors;
    plain.comp_channel = context.completion_fd;
    const ib_uverbs_ex_create_cq extended{
        .user_handle = plain.user_handle,
        .cqe = plain.cqe,
        .comp_vector = plain.comp_vector,
        .comp_channel = plain.comp_channel,
        .comp_mask = 0,
        .flags = attributes.flags,
        .reserved = 0,
    };
    ib_uverbs_ex_create_cq_resp kernel{};
    // The plain command has no flags.
    const auto command =
        attributes.flags == 0
            ? UverbsCommand(IB_USER_VERBS_CMD_CREATE_CQ, plain, kernel.base)
            : UverbsCommand::extended(IB_USER_VERBS_EX_CMD_CREATE_CQ, extended, kernel);
    auto created = context.execute(VRDMA_CMD_CREATE_CQ, command, udata);
    if (!created) {
        return fail(created.error());
    }
    attributes.cqe = kernel.base.cqe;
    // The arming that an earlier CQ of this handle left there would pass for this CQ's.
    if (context.port.area != nullptr) {
        memory::store(&context.port.area->cq_arm[guest_handle], VRDMA_CQ_NOT_ARMED,
                      std::memory_order_release);
    }
    auto cq =
        std::make_unique<Cq>(context, kernel.base.cq_handle, guest_handle, attributes.comp_vector);
    // The kernel has judged the size by now; what is refused here goes again.
    auto charge = charge_rings(context, completion_ring_bytes(attributes.cqe));
    if (!charge) {
        return fail(charge.error());
    }
    cq->object_.hold(std::move(*charge));
    return cq;
}

Cq::Cq(const ContextState& context, uint32_t handle, uint32_t guest_handle, uint32_t comp_vector)
    : object_(context, kCqKind, handle),
      guest_handle_(guest_handle),
      bell_(std::make_shared<CqBell>(context.file, handle, comp_vector)) {
    context.port.events.cqs().insert(guest_handle_, bell_);
}

Cq::~Cq() {
    object_.context().port.events.cqs().erase(guest_handle_);
    bell_->silence();
}

void Cq::add(std::shared_ptr<SendQueueBell> send_queue) {
    send_queues_.insert(std::move(send_queue));
}

void Cq::remove(const std::shared_ptr<SendQueueBell>& send_queue) {
    send_queues_.erase(send_queue);
}

Result<void> Cq::resize(uint32_t& cqe, rnic::Udata& udata) {
    // Natively, requests that were posted before may have completed by now, and then their
    // completions count for the size.
    for (const auto& send_queue : send_queues_) {
        (void)send_queue->ring();
    }
    auto charge = charge_rings(object_.context(), completion_ring_bytes(cqe));
    if (!charge) {
        return fail(charge.error());
    }
    ib_uverbs_resize_cq request{};
    request.cq_handle = handle();
    request.cqe = cqe;
    ib_uverbs_resize_cq_resp kernel{};
    auto resized = object_.context().execute(VRDMA_CMD_RESIZE_CQ,
                                             {IB_USER_VERBS_CMD_RESIZE_CQ, request, kernel}, udata);
    if (resized) {
        cqe = kernel.cqe;
        object_.hold(std::move(*charge));
    }
    return resized;
}

Result<void> Cq::save(state::Cq& cq) const {
    cq.set_comp_vector(bell_->comp_vector());
    cq.mutable_uverbs()->set_kernel_handle(handle());
    cq.mutable_uverbs()->set_ring_bytes(object_.held());
    return {};
}

Result<std::unique_ptr<rnic::CompletionQueue>> Cq::restore(const ContextState& context,
                                                           const state::Cq& saved) {
    if (!saved.has_uverbs() || saved.handle() >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    auto cq = std::make_unique<Cq>(context, saved.uverbs().kernel_handle(), saved.handle(),
                                   saved.comp_vector());
    cq->object_.take_rings(saved.uverbs().ring_bytes());
    return cq;
}

}  // namespace vrdma::uverbs
