// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/verbs/qp.h"

#include <algorithm>

#include "rnic/embedded/verbs/answer.h"
#include "rnic/embedded/verbs/cq.h"
#include "rnic/embedded/verbs/pd.h"
#include "rnic/embedded/verbs/qp_transitions.h"
#include "rnic/embedded/verbs/srq.h"

namespace vrdma::embedded {
namespace {

uint32_t send_payload(const rnic::QpCapabilities& cap) {
    return std::max<uint32_t>(cap.max_send_sge * sizeof(Sge), cap.max_inline_data);
}

ConsumerRing consumer(RingPool::CountedRing& ring) {
    return ConsumerRing(std::move(ring.ring), ring.index);
}

QpContext::Init context_init(uint32_t handle, const rnic::Context::QpInit& init,
                             ConsumerRing send_ring, ConsumerRing receive_ring) {
    return {.pd = static_cast<const Pd&>(*init.pd),
            .send_cq = static_cast<Cq&>(*init.send_cq).context(),
            .recv_cq = static_cast<Cq&>(*init.recv_cq).context(),
            .srq = init.srq != nullptr ? &static_cast<Srq*>(init.srq)->context() : nullptr,
            .type = static_cast<QpType>(init.qp_type),
            .handle = handle,
            .signal_all = init.sq_sig_all,
            .cap = init.cap,
            .send_ring = std::move(send_ring),
            .receive_ring = std::move(receive_ring)};
}

}  // namespace

// Checks what the guest wants against the limits; the SRQ, if any, takes the receive queue's place.
Result<void> Qp::check_capabilities(rnic::Context::QpInit& init, const EmbeddedLimits& limits) {
    rnic::QpCapabilities& cap = init.cap;
    if (cap.max_send_wr > limits.max_qp_wr || cap.max_send_sge > kMaxSge ||
        cap.max_inline_data > kMaxInline) {
        return fail(EINVAL);
    }
    if (init.srq != nullptr) {
        cap.max_recv_wr = 0;
        cap.max_recv_sge = 0;
    } else if (cap.max_recv_wr > limits.max_qp_wr || cap.max_recv_sge > kMaxSge) {
        return fail(EINVAL);
    }
    return {};
}

size_t Qp::send_element_size(const rnic::QpCapabilities& cap) {
    return kSendWqeHeadSize + send_payload(cap);
}

size_t Qp::receive_element_size(const rnic::QpCapabilities& cap) {
    return kRecvWqeHeadSize + cap.max_recv_sge * sizeof(Sge);
}

// SGEs and inline data share the room for the larger one, as in the kernel's rxe.
void Qp::settle_send_capabilities(rnic::QpCapabilities& cap, uint32_t capacity) {
    cap.max_inline_data = send_payload(cap);
    cap.max_send_sge = std::min<uint32_t>(cap.max_inline_data / sizeof(Sge), kMaxSge);
    cap.max_send_wr = capacity;
}

Result<std::unique_ptr<Qp>> Qp::create(const PortServices& services, const RingPool& rings,
                                       uint32_t handle, rnic::Context::QpInit& init,
                                       rnic::Udata& udata) {
    if (!has_room<rxe_create_qp_resp>(udata)) {
        return fail(EINVAL);
    }
    if (init.qp_type < static_cast<uint8_t>(QpType::kGsi) ||
        init.qp_type > static_cast<uint8_t>(QpType::kUd) || init.create_flags != 0) {
        return fail(EOPNOTSUPP);
    }
    if (init.pd == nullptr || init.send_cq == nullptr || init.recv_cq == nullptr) {
        return fail(EINVAL);
    }
    Quota& quota = services.quota;
    if (auto checked = check_capabilities(init, quota.limits()); !checked) {
        return fail(checked.error());
    }
    if (handle >= VRDMA_DB_MAX_HANDLES) {
        return fail(EINVAL);
    }
    auto own_rings = create_rings(rings, init);
    if (!own_rings) {
        return fail(own_rings.error());
    }
    auto count = quota.take(&Usage::queue_pairs, quota.limits().max_qp);
    if (!count) {
        return fail(count.error());
    }
    std::unique_ptr<Qp> qp(
        new Qp(services, handle, init, std::move(*own_rings), std::move(*count)));
    {
        PortContext::QpRoom room = services.port.make_room_for_qp(handle);
        const GuestGate::Pause pause(services.gate);
        if (services.port.has_qp(handle)) {
            return fail(EINVAL);
        }
        if (auto numbered = qp->take_number(); !numbered) {
            return fail(numbered.error());
        }
        services.port.add_qp(handle, qp->context_, room);
    }
    const QpContext& context = qp->context_;
    answer(udata, rxe_create_qp_resp{
                      .rq_mi = init.srq != nullptr ? mminfo{} : context.receive().ring().info(),
                      .sq_mi = context.send().ring().info()});
    return qp;
}

// The capabilities come back as they are.
Result<Qp::Rings> Qp::create_rings(const RingPool& rings, rnic::Context::QpInit& init) {
    rnic::QpCapabilities& cap = init.cap;
    auto send = rings.create(RingGeometry::fit(cap.max_send_wr, send_element_size(cap)));
    if (!send) {
        return fail(send.error());
    }
    std::optional<RingPool::CountedRing> receive;
    if (init.srq == nullptr) {
        auto ring = rings.create(RingGeometry::fit(cap.max_recv_wr, receive_element_size(cap)));
        if (!ring) {
            return fail(ring.error());
        }
        cap.max_recv_wr = ring->ring.mask();
        receive.emplace(std::move(*ring));
    }
    settle_send_capabilities(cap, send->ring.mask());
    return Rings{std::move(*send), std::move(receive)};
}

Qp::Qp(const PortServices& services, uint32_t handle, const rnic::Context::QpInit& init,
       Rings rings, rnic::LiveCount count)
    : context_(services.port,
               context_init(handle, init, consumer(rings.send),
                            rings.receive ? consumer(*rings.receive) : ConsumerRing())),
      services_(services),
      count_(std::move(count)),
      send_bytes_(std::move(rings.send.bytes)) {
    if (rings.receive) {
        receive_bytes_.emplace(std::move(rings.receive->bytes));
    }
}

// QP 1 of each port is its own; all others are numbered across ports.
Result<void> Qp::take_number() {
    if (context_.type() == QpType::kGsi) {
        if (services_.port.gsi() != nullptr) {
            return fail(EBUSY);
        }
        services_.port.set_gsi(&context_);
        context_.set_number(kGsiQpNumber);
        return {};
    }
    const uint32_t number = services_.fabric.add_qp(context_);
    if (number == 0) {
        return fail(ENOMEM);
    }
    context_.set_number(number);
    return {};
}

Qp::~Qp() {
    if (context_.number() == 0) {
        return;
    }
    {
        const GuestGate::Pause pause(services_.gate);
        services_.worker.run_posted(context_);
        services_.worker.forget(context_);
        context_.set_state(QpState::kReset);
        forget_peer();
        context_.add_to(services_.port.past_traffic());
        services_.port.remove_qp(context_.handle());
        if (context_.type() == QpType::kGsi) {
            services_.port.set_gsi(nullptr);
        } else {
            services_.fabric.remove_qp(context_.number());
        }
    }
    // The queue pair does nothing any more. What may be much is done piece by piece, so that other
    // guests' work goes on.
    leave_groups();
    KeySpace& keys = services_.port.keys();
    for (uint32_t done = 0; context_.windows().has_windows() && done < keys.windows().size();) {
        const GuestGate::Pause pause(services_.gate);
        done = keys.forget_windows(context_.windows(), done);
    }
}

Result<void> Qp::modify(uint32_t attr_mask, const rnic::QpAttributes& wanted, rnic::Udata&) {
    const GuestGate::Pause pause(services_.gate);
    const QpState from = context_.state();
    if ((attr_mask & kAttrState) != 0 && wanted.qp_state > static_cast<uint8_t>(QpState::kError)) {
        return fail(EINVAL);
    }
    const QpState to = (attr_mask & kAttrState) != 0 ? static_cast<QpState>(wanted.qp_state) : from;
    if ((attr_mask & kAttrCurrentState) != 0 && wanted.cur_qp_state != static_cast<uint8_t>(from)) {
        return fail(EINVAL);
    }
    if (!transition_allowed(context_.type(), from, to, attr_mask)) {
        return fail(EINVAL);
    }
    if (auto checked = check(attr_mask, wanted); !checked) {
        return checked;
    }
    if (from != to) {
        services_.worker.run_posted(context_);
    }
    forget_peer();
    apply(attr_mask, wanted);
    enter(from, to);
    return {};
}

Result<void> Qp::check(uint32_t attr_mask, const rnic::QpAttributes& wanted) const {
    const auto has = [attr_mask](uint32_t attribute) { return (attr_mask & attribute) != 0; };
    if (has(kAttrAlternatePath)) {
        return fail(EOPNOTSUPP);
    }
    // Access flags allow a peer operations. Flags for operations that do not exist here (FLUSH,
    // which libraries give without asking) allow nothing, and rxe takes them as well.
    const bool bad = (has(kAttrPkeyIndex) && wanted.pkey_index != 0) ||
                     (has(kAttrPort) && wanted.port != rnic::kGuestPort) ||
                     (has(kAttrPathMtu) && (wanted.path_mtu == 0 || wanted.path_mtu > kMtu4096)) ||
                     (has(kAttrTimeout) && wanted.timeout > 31) ||
                     (has(kAttrRetryCount) && wanted.retry_cnt > 7) ||
                     (has(kAttrRnrRetry) && wanted.rnr_retry > 7) ||
                     (has(kAttrMinRnrTimer) && wanted.min_rnr_timer > 31) ||
                     (has(kAttrMaxRdAtomic) && wanted.max_rd_atomic > kMaxRdAtomic) ||
                     (has(kAttrMaxDestRdAtomic) && wanted.max_dest_rd_atomic > kMaxRdAtomic) ||
                     (has(kAttrDestQpn) && wanted.dest_qp_num >> 24 != 0) ||
                     (has(kAttrAddressVector) && !services_.port.has_gid(wanted.ah.sgid_index));
    if (bad) {
        return fail(EINVAL);
    }
    return {};
}

void Qp::apply(uint32_t attr_mask, const rnic::QpAttributes& wanted) {
    rnic::QpAttributes attributes = context_.attributes();
    const auto take = [&](uint32_t attribute, auto member) {
        if ((attr_mask & attribute) != 0) {
            attributes.*member = wanted.*member;
        }
    };
    using A = rnic::QpAttributes;
    take(kAttrSqdNotify, &A::en_sqd_async_notify);
    take(kAttrAccessFlags, &A::qp_access_flags);
    take(kAttrPkeyIndex, &A::pkey_index);
    take(kAttrPort, &A::port);
    take(kAttrQkey, &A::qkey);
    take(kAttrAddressVector, &A::ah);
    take(kAttrPathMtu, &A::path_mtu);
    take(kAttrTimeout, &A::timeout);
    take(kAttrRetryCount, &A::retry_cnt);
    take(kAttrRnrRetry, &A::rnr_retry);
    take(kAttrRqPsn, &A::rq_psn);
    take(kAttrMaxRdAtomic, &A::max_rd_atomic);
    take(kAttrMinRnrTimer, &A::min_rnr_timer);
    take(kAttrSqPsn, &A::sq_psn);
    take(kAttrMaxDestRdAtomic, &A::max_dest_rd_atomic);
    take(kAttrPathMigration, &A::path_mig_state);
    take(kAttrDestQpn, &A::dest_qp_num);
    context_.set_attributes(attributes);
}

void Qp::enter(QpState from, QpState to) {
    if (to == QpState::kReset) {
        reset();
    } else if (to == QpState::kSendQueueDrained && from != to) {
        context_.send().expect_drain();
    }
    context_.set_state(to);
    // The worker has to flush, to report that the queue is drained, or to go on with what is
    // posted.
    if (to >= QpState::kReadyToSend) {
        context_.call_home();
    }
}

// The queue pair looks for its peer anew, and so does that one. Nobody else can have found this
// one: a connection's ends name each other (Requester::find_peer()).
void Qp::forget_peer() {
    QpContext* peer = services_.fabric.find_qp(context_.attributes().dest_qp_num);
    if (peer != nullptr && peer->send().peer() == &context_) {
        peer->send().forget_peer();
    }
    context_.send().forget_peer();
}

void Qp::reset() {
    services_.worker.forget(context_);
    context_.send().reset();
    context_.receive().reset();
    rnic::QpAttributes attributes;
    attributes.cap = context_.attributes().cap;
    context_.set_attributes(attributes);
}

Result<rnic::QpAttributes> Qp::query() {
    const GuestGate::Pause pause(services_.gate);
    rnic::QpAttributes answer = context_.attributes();
    const QpState now = context_.state();
    answer.qp_state = static_cast<uint8_t>(now);
    answer.cur_qp_state = static_cast<uint8_t>(now);
    answer.sq_draining = now == QpState::kSendQueueDrained && context_.send().in_progress();
    return answer;
}

}  // namespace vrdma::embedded
