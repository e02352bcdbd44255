// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
#include "rnic/embedded/datapath/responder.h"

#include <mutex>

namespace vrdma::embedded {
namespace {

// An error of the receive request itself ends the queue pair (IBTA 1.4, 9.9.3).
void fail_receive(QpContext& peer, WcStatus status) {
    peer.receive().close();
    peer.port().activity().count_failure(status);
    peer.complete_receive({.wr_id = peer.receive().request().wr_id,
                           .status = status,
                           .opcode = WcOpcode::kReceive,
                           .qp_number = peer.number()});
    peer.enter_error();
}

}  // namespace

Verdict open_receive(QpContext& peer, uint64_t room) {
    ReceiveState& receive = peer.receive();
    // A request that an earlier message took and did not fill is used again (9.8.2.2.2, for UC).
    if (!receive.is_open()) {
        const auto status = receive.open();
        if (!status) {
            return Verdict::kNotReady;
        }
        if (*status != WcStatus::kSuccess) {
            fail_receive(peer, *status);
            return Verdict::kOperationError;
        }
    }
    if (room <= receive.request().length) {
        return Verdict::kAccepted;
    }
    if (peer.type() == QpType::kRc) {
        fail_receive(peer, WcStatus::kLocalLengthError);
    }
    return Verdict::kInvalidRequest;
}

Verdict scatter_receive(QpContext& peer, uint64_t done, uint64_t rest, ScatterList& list) {
    const ReceiveState& receive = peer.receive();
    if (rest == 0 || list.resolve(peer.port().keys().regions(), receive.memory_pd(peer.pd()),
                                  receive.request().list(), kAccessLocalWrite, done, rest)) {
        return Verdict::kAccepted;
    }
    fail_receive(peer, WcStatus::kLocalProtectionError);
    return Verdict::kOperationError;
}

void close_receive(QpContext& peer, const Arrival& arrival) {
    peer.receive().close();
    peer.receive().count(arrival.length);
    peer.complete_receive({.wr_id = peer.receive().request().wr_id,
                           .status = WcStatus::kSuccess,
                           .opcode = arrival.opcode,
                           .byte_length = static_cast<uint32_t>(arrival.length),
                           .immediate = arrival.immediate,
                           .qp_number = peer.number(),
                           .source_qp = arrival.source_qp,
                           .flags = arrival.flags,
                           .vlan = arrival.vlan,
                           .packet_type = arrival.packet_type,
                           .solicited = arrival.solicited});
}

Invalidation invalidate_for_receive(QpContext& peer, uint32_t key, const WorkerSlices& slices) {
    const Invalidation outcome = peer.port().keys().invalidate(key, peer.windows(), true, slices);
    if (outcome == Invalidation::kRefused) {
        fail_receive(peer, WcStatus::kRemoteInvalidRequest);
    }
    return outcome;
}

Verdict refuse(QpContext& peer, Verdict verdict) {
    if (peer.type() == QpType::kRc) {
        peer.enter_error();
        peer.port().sink().async_event(verdict == Verdict::kAccessError
                                           ? rnic::AsyncEventType::kQpAccessError
                                           : rnic::AsyncEventType::kQpRequestError,
                                       peer.handle());
    }
    return verdict;
}

bool flush_receives(QpContext& qp, Turn& turn) {
    ReceiveState& receive = qp.receive();
    const std::lock_guard lock(receive);
    const auto flush = [&qp](uint64_t wr_id) {
        qp.port().activity().count_failure(WcStatus::kFlushed);
        qp.complete_receive({.wr_id = wr_id,
                             .status = WcStatus::kFlushed,
                             .opcode = WcOpcode::kReceive,
                             .qp_number = qp.number()});
    };
    if (receive.is_open()) {
        receive.close();
        flush(receive.request().wr_id);
    }
    if (receive.has_srq()) {
        // IBTA 1.4, 11.6.3.1: nothing more of the SRQ will be consumed by this queue pair.
        if (receive.report_last_wqe()) {
            qp.port().sink().async_event(rnic::AsyncEventType::kQpLastWqeReached, qp.handle());
        }
        return true;
    }
    for (; !turn.is_over(); turn.waste(kFlushCost)) {
        if (!receive.anything_posted()) {
            return true;
        }
        flush(receive.take_flushed());
    }
    return false;
}

}  // namespace vrdma::embedded
