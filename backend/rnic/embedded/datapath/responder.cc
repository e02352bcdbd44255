// SPDX-License-Identifier: Apache-2.0
#include "rnic/embedded/datapath/responder.h"

#include <mutex>

#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

constexpr unsigned kFlushesPerSlice = 64;

std::optional<WcStatus> take(ReceiveSide& receive) {
    if (receive.srq != nullptr) return receive.srq->take(receive.request);
    if (receive.queue.empty()) return std::nullopt;
    return receive.queue.take(receive.request);
}

// An error of the receive request itself ends the queue pair (IBTA 1.4, 9.9.3).
void fail_receive(Qp& peer, WcStatus status) {
    peer.receive.active = false;
    post_completion(peer, peer.recv_cq,
                    {.wr_id = peer.receive.request.wr_id,
                     .status = status,
                     .opcode = WcOpcode::kReceive,
                     .qp_number = peer.number});
    peer.enter_error();
}

}  // namespace

void post_completion(Qp& qp, Cq& cq, const Completion& completion) {
    if (cq.push(completion)) [[likely]] {
        return;
    }
    if (qp.state.exchange(QpState::kError, std::memory_order_acq_rel) == QpState::kError) return;
    qp.port.sink.async_event(rnic::AsyncEventType::kQpFatal, qp.handle);
    qp.port.worker.call(qp);
}

Verdict open_receive(Qp& peer, uint64_t room) {
    ReceiveSide& receive = peer.receive;
    // One that an earlier message took and did not fill is used again (9.8.2.2.2, for UC).
    if (!receive.active) {
        const auto status = take(receive);
        if (!status) return Verdict::kNotReady;
        receive.active = true;
        if (*status != WcStatus::kSuccess) {
            fail_receive(peer, *status);
            return Verdict::kOperationError;
        }
    }
    if (room <= receive.request.length) return Verdict::kAccepted;
    if (peer.type == QpType::kRc) fail_receive(peer, WcStatus::kLocalLengthError);
    return Verdict::kInvalidRequest;
}

Verdict scatter_receive(Qp& peer, uint64_t done, uint64_t rest, ScatterList& list) {
    const ReceiveSide& receive = peer.receive;
    const Pd& pd = receive.srq != nullptr ? receive.srq->pd() : peer.pd;
    if (rest == 0 ||
        list.resolve(peer.port.mrs, pd, receive.request.list(), kAccessLocalWrite, done, rest)) {
        return Verdict::kAccepted;
    }
    fail_receive(peer, WcStatus::kLocalProtectionError);
    return Verdict::kOperationError;
}

void close_receive(Qp& peer, const Arrival& arrival) {
    peer.receive.active = false;
    post_completion(peer, peer.recv_cq,
                    {.wr_id = peer.receive.request.wr_id,
                     .status = WcStatus::kSuccess,
                     .opcode = arrival.opcode,
                     .byte_length = static_cast<uint32_t>(arrival.length),
                     .immediate = arrival.immediate,
                     .qp_number = peer.number,
                     .source_qp = arrival.source_qp,
                     .flags = arrival.flags,
                     .solicited = arrival.solicited});
}

Invalidation invalidate_key(Qp& qp, uint32_t key, bool remote, const Worker& self) {
    if (Mw* mw = qp.port.mws.at(key); mw != nullptr) return mw->invalidate(key, qp, self);
    Mr* mr = qp.port.mrs.at(key);
    if (mr == nullptr || mr->pd() != &qp.pd) return Invalidation::kRefused;
    return mr->invalidate(key, remote, self);
}

Invalidation invalidate_for_receive(Qp& peer, uint32_t key, const Worker& self) {
    const Invalidation outcome = invalidate_key(peer, key, true, self);
    if (outcome == Invalidation::kRefused) fail_receive(peer, WcStatus::kRemoteInvalidRequest);
    return outcome;
}

Verdict refuse(Qp& peer, Verdict verdict) {
    if (peer.type == QpType::kRc) {
        peer.enter_error();
        peer.port.sink.async_event(verdict == Verdict::kAccessError
                                       ? rnic::AsyncEventType::kQpAccessError
                                       : rnic::AsyncEventType::kQpRequestError,
                                   peer.handle);
    }
    return verdict;
}

bool flush_receives(Qp& qp) {
    std::lock_guard lock(qp.receive.lock);
    const auto flush = [&qp](uint64_t wr_id) {
        post_completion(qp, qp.recv_cq,
                        {.wr_id = wr_id,
                         .status = WcStatus::kFlushed,
                         .opcode = WcOpcode::kReceive,
                         .qp_number = qp.number});
    };
    if (qp.receive.active) {
        qp.receive.active = false;
        flush(qp.receive.request.wr_id);
    }
    if (qp.receive.srq != nullptr) {
        // IBTA 1.4, 11.6.3.1: nothing more of the SRQ will be consumed by this queue pair.
        if (!qp.receive.last_wqe_reported) {
            qp.receive.last_wqe_reported = true;
            qp.port.sink.async_event(rnic::AsyncEventType::kQpLastWqeReached, qp.handle);
        }
        return true;
    }
    ConsumerRing& ring = qp.receive.queue.ring();
    for (unsigned n = 0; n < kFlushesPerSlice; ++n) {
        if (ring.empty()) return true;
        const uint64_t wr_id = parse_flushed_receive(ring.front());
        ring.pop();
        flush(wr_id);
    }
    return false;
}

}  // namespace vrdma::embedded
