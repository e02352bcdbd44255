// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/verbs/qp.h"

#include <algorithm>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp_transitions.h"

namespace vrdma::embedded {
namespace {

uint32_t send_payload(const rnic::QpCapabilities& cap) {
    return std::max<uint32_t>(cap.max_send_sge * sizeof(Sge), cap.max_inline_data);
}

}  // namespace

Result<std::unique_ptr<Qp>> Qp::create(Engine& engine, PortState& port, RingMemory& memory,
                                       uint32_t handle, rnic::Context::QpInit& init) {
    if (init.qp_type < static_cast<uint8_t>(QpType::kGsi) ||
        init.qp_type > static_cast<uint8_t>(QpType::kUd) || init.create_flags != 0) {
        return fail(EOPNOTSUPP);
    }
    if (init.pd == nullptr || init.send_cq == nullptr || init.recv_cq == nullptr) {
        return fail(EINVAL);
    }
    rnic::QpCapabilities& cap = init.cap;
    if (cap.max_send_wr > engine.limits.max_qp_wr || cap.max_send_sge > kMaxSge ||
        cap.max_inline_data > kMaxInline) {
        return fail(EINVAL);
    }
    if (init.srq != nullptr) {
        cap.max_recv_wr = 0;
        cap.max_recv_sge = 0;
    } else if (cap.max_recv_wr > engine.limits.max_qp_wr || cap.max_recv_sge > kMaxSge) {
        return fail(EINVAL);
    }
    if (handle >= VRDMA_DB_MAX_HANDLES) return fail(EINVAL);

    const RingGeometry send_geometry =
        RingGeometry::fit(cap.max_send_wr, kSendWqeHeadSize + send_payload(cap));
    auto send_ring = Ring::create(memory, send_geometry);
    if (!send_ring) return fail(send_ring.error());
    uint64_t bytes = send_ring->bytes();
    Ring receive_ring;
    if (init.srq == nullptr) {
        const RingGeometry geometry =
            RingGeometry::fit(cap.max_recv_wr, kRecvWqeHeadSize + cap.max_recv_sge * sizeof(Sge));
        auto ring = Ring::create(memory, geometry);
        if (!ring) return fail(ring.error());
        receive_ring = std::move(*ring);
        bytes += receive_ring.bytes();
        cap.max_recv_wr = geometry.capacity();
    }
    // As the kernel's rxe: SGEs and inline data share the room for the larger one.
    cap.max_inline_data = send_payload(cap);
    cap.max_send_sge = std::min<uint32_t>(cap.max_inline_data / sizeof(Sge), kMaxSge);
    cap.max_send_wr = send_geometry.capacity();

    auto count =
        LiveCount::take(engine.live.queue_pairs, port.live.queue_pairs, engine.limits.max_qp);
    if (!count) return fail(ENOMEM);
    auto ring_bytes =
        LiveCount::take(engine.live.ring_bytes, port.live.ring_bytes, ~uint64_t{0}, bytes);

    std::unique_ptr<Qp> qp(
        new Qp(engine, port, handle, init, std::move(*count), std::move(*ring_bytes)));
    qp->send.ring = ConsumerRing(std::move(*send_ring));
    if (init.srq == nullptr) {
        qp->receive.queue = ReceiveQueue(std::move(receive_ring), cap.max_recv_sge);
    }

    Gate::Pause pause(engine.gate);
    if (port.qps.size() <= handle) port.qps.resize(handle + 1);
    if (port.qps[handle] != nullptr) return fail(EINVAL);
    if (auto numbered = qp->take_number(); !numbered) return fail(numbered.error());
    port.qps[handle] = qp.get();
    return qp;
}

// QP 1 of each port is its own; all others are numbered across ports.
Result<void> Qp::take_number() {
    if (type == QpType::kGsi) {
        if (port.gsi != nullptr) return fail(EBUSY);
        port.gsi = this;
        number = kGsiQpNumber;
        return {};
    }
    number = engine.qps.insert(*this);
    if (number == 0) return fail(ENOMEM);
    return {};
}

Qp::Qp(Engine& engine_in, PortState& port_in, uint32_t handle_in, const rnic::Context::QpInit& init,
       LiveCount count, LiveCount bytes)
    : engine(engine_in),
      port(port_in),
      pd(static_cast<const Pd&>(*init.pd)),
      send_cq(static_cast<Cq&>(*init.send_cq)),
      recv_cq(static_cast<Cq&>(*init.recv_cq)),
      type(static_cast<QpType>(init.qp_type)),
      handle(handle_in),
      count_(std::move(count)),
      bytes_(std::move(bytes)) {
    attributes.cap = init.cap;
    send.limits = {init.cap.max_send_sge, init.cap.max_inline_data};
    send.signal_all = init.sq_sig_all;
    receive.srq = static_cast<Srq*>(init.srq);
}

Qp::~Qp() {
    if (number == 0) return;
    Gate::Pause pause(engine.gate);
    port.worker.run_posted(*this);
    port.worker.forget(*this);
    engine.groups.forget(*this);
    if (windows.load(std::memory_order_relaxed) != 0) port.mws.forget(*this);
    port.qps[handle] = nullptr;
    if (type == QpType::kGsi) {
        port.gsi = nullptr;
    } else {
        engine.qps.erase(number);
    }
    engine.forget_paths();
}

mminfo Qp::receive_ring_info() const {
    return receive.srq != nullptr ? mminfo{} : receive.queue.ring().ring().info();
}

void Qp::enter_error() {
    state.store(QpState::kError, std::memory_order_release);
    port.worker.call(*this);
}

Result<void> Qp::modify(uint32_t attr_mask, const rnic::QpAttributes& wanted, rnic::Udata&) {
    Gate::Pause pause(engine.gate);
    const QpState from = state.load(std::memory_order_relaxed);
    if ((attr_mask & kAttrState) != 0 && wanted.qp_state > static_cast<uint8_t>(QpState::kError)) {
        return fail(EINVAL);
    }
    const QpState to = (attr_mask & kAttrState) != 0 ? static_cast<QpState>(wanted.qp_state) : from;
    if ((attr_mask & kAttrCurrentState) != 0 && wanted.cur_qp_state != static_cast<uint8_t>(from)) {
        return fail(EINVAL);
    }
    if (!transition_allowed(type, from, to, attr_mask)) return fail(EINVAL);
    if (auto checked = check(attr_mask, wanted); !checked) return checked;
    if (from != to) port.worker.run_posted(*this);
    apply(attr_mask, wanted);
    enter(from, to);
    return {};
}

Result<void> Qp::check(uint32_t attr_mask, const rnic::QpAttributes& wanted) const {
    const auto has = [attr_mask](uint32_t attribute) { return (attr_mask & attribute) != 0; };
    if (has(kAttrAlternatePath)) return fail(EOPNOTSUPP);
    // Access flags allow a peer operations; those for operations that do not exist here (FLUSH,
    // which libraries give without asking) allow nothing, and rxe takes them as well.
    const bool bad = (has(kAttrPkeyIndex) && wanted.pkey_index != 0) ||
                     (has(kAttrPort) && wanted.port != 1) ||
                     (has(kAttrPathMtu) && (wanted.path_mtu == 0 || wanted.path_mtu > kMtu4096)) ||
                     (has(kAttrTimeout) && wanted.timeout > 31) ||
                     (has(kAttrRetryCount) && wanted.retry_cnt > 7) ||
                     (has(kAttrRnrRetry) && wanted.rnr_retry > 7) ||
                     (has(kAttrMinRnrTimer) && wanted.min_rnr_timer > 31) ||
                     (has(kAttrMaxRdAtomic) && wanted.max_rd_atomic > kMaxRdAtomic) ||
                     (has(kAttrMaxDestRdAtomic) && wanted.max_dest_rd_atomic > kMaxRdAtomic) ||
                     (has(kAttrDestQpn) && wanted.dest_qp_num >> 24 != 0) ||
                     (has(kAttrAddressVector) && !port.has_gid(wanted.ah.sgid_index));
    if (bad) return fail(EINVAL);
    return {};
}

void Qp::apply(uint32_t attr_mask, const rnic::QpAttributes& wanted) {
    const auto take = [&](uint32_t attribute, auto member) {
        if ((attr_mask & attribute) != 0) attributes.*member = wanted.*member;
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
}

void Qp::enter(QpState from, QpState to) {
    engine.forget_paths();
    if (to == QpState::kReset) {
        reset();
    } else if (to == QpState::kSendQueueDrained && from != to) {
        send.drain_reported = false;
    }
    state.store(to, std::memory_order_release);
    // To flush, to report that the queue is drained, or to go on with what is posted.
    if (to >= QpState::kReadyToSend) port.worker.call(*this);
}

void Qp::reset() {
    port.worker.forget(*this);
    send.ring.clear();
    send.in_progress = false;
    send.waiting = false;
    ++send.timer_token;
    if (receive.srq == nullptr) receive.queue.ring().clear();
    receive.active = false;
    receive.last_wqe_reported = false;
    receive.established.store(false, std::memory_order_relaxed);
    const auto cap = attributes.cap;
    attributes = {};
    attributes.cap = cap;
}

Result<rnic::QpAttributes> Qp::query() {
    Gate::Pause pause(engine.gate);
    rnic::QpAttributes answer = attributes;
    const QpState now = state.load(std::memory_order_relaxed);
    answer.qp_state = static_cast<uint8_t>(now);
    answer.cur_qp_state = static_cast<uint8_t>(now);
    answer.sq_draining = now == QpState::kSendQueueDrained && send.in_progress;
    return answer;
}

Result<void> Qp::attach_mcast(const rnic::Gid& gid, uint16_t) {
    if (type != QpType::kUd) return fail(EINVAL);
    Gate::Pause pause(engine.gate);
    return engine.groups.attach(gid, *this);
}

Result<void> Qp::detach_mcast(const rnic::Gid& gid, uint16_t) {
    Gate::Pause pause(engine.gate);
    return engine.groups.detach(gid, *this);
}

}  // namespace vrdma::embedded
