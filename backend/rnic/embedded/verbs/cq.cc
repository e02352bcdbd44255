// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/cq.h"

#include "rnic/embedded/rings/rxe_abi.h"
#include "rnic/embedded/verbs/answer.h"

namespace vrdma::embedded {

Result<std::unique_ptr<Cq>> Cq::create(const PortServices& services, const RingPool& rings,
                                       uint32_t handle, rnic::CqAttributes& attributes,
                                       rnic::Udata& udata) {
    if (attributes.flags != 0) {
        return fail(EOPNOTSUPP);
    }
    Quota& quota = services.quota;
    if (attributes.cqe == 0 || attributes.cqe > quota.limits().max_cqe ||
        handle >= VRDMA_DB_MAX_HANDLES || services.port.has_cq(handle) ||
        !has_room<rxe_create_cq_resp>(udata)) {
        return fail(EINVAL);
    }
    auto count = quota.take(&Usage::completion_queues, quota.limits().max_cq);
    if (!count) {
        return fail(count.error());
    }
    auto ring = rings.create(RingGeometry::fit(attributes.cqe, kCqElementSize));
    if (!ring) {
        return fail(ring.error());
    }
    std::unique_ptr<Cq> cq(new Cq(services, rings, handle, attributes.comp_vector, std::move(*ring),
                                  false, std::move(*count)));
    attributes.cqe = cq->capacity();
    answer(udata, rxe_create_cq_resp{.mi = cq->context_.ring().info()});
    return cq;
}

Cq::Cq(const PortServices& services, const RingPool& rings, uint32_t handle, uint32_t comp_vector,
       RingPool::CountedRing ring, bool failed, rnic::LiveCount count)
    : context_(services.port, handle, comp_vector, ProducerRing(std::move(ring.ring), ring.index),
               failed),
      handle_(handle),
      services_(services),
      rings_(rings),
      count_(std::move(count)),
      bytes_(std::move(ring.bytes)) {
    PortContext::CqRoom room = services_.port.make_room_for_cq(handle_);
    const GuestGate::Pause pause(services_.gate);
    services_.port.add_cq(handle_, context_, context_.arming(), room);
}

Cq::~Cq() {
    const GuestGate::Pause pause(services_.gate);
    services_.port.remove_cq(handle_);
}

Result<void> Cq::save(state::Cq& cq) const {
    cq.set_handle(handle_);
    cq.set_comp_vector(context_.comp_vector());
    RingPool::save(context_.ring(), context_.index(), *cq.mutable_embedded()->mutable_ring());
    cq.mutable_embedded()->set_failed(context_.failed());
    return {};
}

Result<std::unique_ptr<Cq>> Cq::restore(const PortServices& services, const RingPool& rings,
                                        const state::Cq& saved) {
    Quota& quota = services.quota;
    if (!saved.has_embedded() || saved.handle() >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    if (services.port.has_cq(saved.handle())) {
        return fail(EEXIST);
    }
    auto count = quota.take(&Usage::completion_queues, quota.limits().max_cq);
    if (!count) {
        return fail(count.error());
    }
    auto ring = rings.restore(saved.embedded().ring(), quota.limits().max_cqe, kCqElementSize);
    if (!ring) {
        return fail(ring.error());
    }
    std::unique_ptr<Cq> cq(new Cq(services, rings, saved.handle(), saved.comp_vector(),
                                  std::move(*ring), saved.embedded().failed(), std::move(*count)));
    if (cq->context_.failed()) {
        // Queue pairs may still have to be told.
        services.port.report_failed_cq();
    }
    return cq;
}

// librxe holds its lock meanwhile, so that nobody polls; it maps the new ring, and unmaps the old
// one, when it has the answer.
Result<void> Cq::resize(uint32_t& cqe, rnic::Udata& udata) {
    if (cqe == 0 || cqe > services_.quota.limits().max_cqe ||
        !has_room<rxe_resize_cq_resp>(udata)) {
        return fail(EINVAL);
    }
    for (QpContext* qp : services_.port.qps()) {
        if (qp == nullptr || &qp->send_cq() != &context_ ||
            !qp->send().anything_posted_by_guest()) {
            continue;
        }
        // One Pause for each, so that other guests' work goes on between them.
        const GuestGate::Pause pause(services_.gate);
        services_.worker.run_posted(*qp);
    }
    auto ring = rings_.create(RingGeometry::fit(cqe, kCqElementSize));
    if (!ring) {
        return fail(ring.error());
    }
    if (!context_.move_to(ring->ring)) {
        return fail(EINVAL);
    }
    bytes_ = std::move(ring->bytes);
    cqe = capacity();
    answer(udata, rxe_resize_cq_resp{.mi = context_.ring().info()});
    return {};
}

}  // namespace vrdma::embedded
