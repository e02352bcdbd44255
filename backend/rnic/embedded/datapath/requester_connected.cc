// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The operations of a connected queue pair's send queue.
#include <mutex>

#include "rnic/embedded/datapath/requester.h"

namespace vrdma::embedded {
namespace {

bool add_window(ScatterList& list, const QpContext& peer, uint32_t rkey, uint64_t address,
                uint64_t size, uint32_t access, uint64_t skip, uint64_t length) {
    Window* window = peer.port().keys().windows().at(rkey);
    if (window == nullptr) {
        return false;
    }
    const Region* region = window->resolve(rkey, peer.windows(), address, size, access);
    return region != nullptr && list.add(*region, address, size, skip, length);
}

// The bytes [skip, skip + length) of the `size` ones that the R_Key of a region or of a window
// gives access to. Inline as reach() is: both are part of what a small message costs.
[[gnu::always_inline]] inline bool add_remote(ScatterList& list, const QpContext& peer,
                                              uint32_t rkey, uint64_t address, uint64_t size,
                                              uint32_t access, uint64_t skip, uint64_t length) {
    if ((rkey & WindowTable::kWindowBit) != 0) [[unlikely]] {
        return add_window(list, peer, rkey, address, size, access, skip, length);
    }
    return list.add(peer.port().keys().regions(), peer.pd(), rkey, address, size, access, skip,
                    length);
}

uint64_t addresses_of(const QpContext& qp, const QpContext& peer) {
    return qp.port().address_generation() + peer.port().address_generation();
}

}  // namespace

// The connected peer if it can be reached and takes messages, else null.
[[gnu::always_inline]] inline QpContext* Requester::reach(QpContext& qp) {
    QpContext* peer = qp.send().peer();
    if (peer == nullptr || !qp.send().knows(addresses_of(qp, *peer))) [[unlikely]] {
        peer = find_peer(qp);
        if (peer == nullptr) {
            return nullptr;
        }
    }
    const QpState state = peer->state();
    if (!receives(state)) {
        return nullptr;
    }
    if (state == QpState::kReadyToReceive) [[unlikely]] {
        // IBTA 1.4, 11.6.3.2: the first message before the queue pair is told to send.
        if (peer->receive().establish()) {
            peer->port().sink().async_event(rnic::AsyncEventType::kCommunicationEstablished,
                                            peer->handle());
        }
    }
    return peer;
}

Requester::Step Requester::write(QpContext& qp, Turn& turn) {
    SendState& send = qp.send();
    const SendRequest& request = send.request();
    const uint64_t rest = send.rest();
    ScatterList from;
    if (!send.gather(qp.port().keys().regions(), qp.pd(), rest, from)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    QpContext* peer = reach(qp);
    if (peer == nullptr) {
        return unreachable(qp);
    }
    if ((peer->attributes().qp_access_flags & kAccessRemoteWrite) == 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList to;
    // IBTA 1.4, 9.7.4.1.6: the R_Key of an empty message is not checked.
    if (rest != 0 && !add_remote(to, *peer, request.rdma.rkey, request.rdma.remote_address,
                                 request.length, kAccessRemoteWrite, send.done(), rest)) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    if (request.opcode == WrOpcode::kRdmaWrite) [[likely]] {
        if (!send.copy_chunk(to, from, rest, turn)) {
            return partial();
        }
        peer->answered().count(request.opcode, request.length);
        return complete(WcStatus::kSuccess);
    }

    const std::lock_guard lock(peer->receive());
    if (!send.is_open_at_peer() || !peer->receive().is_open()) {
        const Verdict verdict = open_receive(*peer, 0);
        if (verdict != Verdict::kAccepted) {
            return refused(qp, *peer, verdict);
        }
        send.set_open_at_peer();
    }
    if (!send.copy_chunk(to, from, rest, turn)) {
        return partial();
    }
    close_receive(*peer, arrival_of(qp, WcOpcode::kReceiveRdmaWithImmediate, true));
    return complete(WcStatus::kSuccess);
}

Requester::Step Requester::send(QpContext& qp, Turn& turn) {
    SendState& send = qp.send();
    const SendRequest& request = send.request();
    const uint64_t rest = send.rest();
    ScatterList from;
    if (!send.gather(qp.port().keys().regions(), qp.pd(), rest, from)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    QpContext* peer = reach(qp);
    if (peer == nullptr) {
        return unreachable(qp);
    }

    const std::lock_guard lock(peer->receive());
    if (!send.is_open_at_peer()) {
        const Verdict verdict = open_receive(*peer, request.length);
        if (verdict != Verdict::kAccepted) {
            return refused(qp, *peer, verdict);
        }
        send.set_open_at_peer();
    } else if (!peer->receive().is_open() || request.length > peer->receive().request().length) {
        // The peer was reset and connected again meanwhile, and has perhaps taken another request
        // since: it gets the whole message.
        send.restart();
        return partial();
    }
    ScatterList to;
    const Verdict verdict = scatter_receive(*peer, send.done(), rest, to);
    if (verdict != Verdict::kAccepted) {
        return refused(qp, *peer, verdict);
    }
    if (!send.copy_chunk(to, from, rest, turn)) {
        return partial();
    }
    Arrival arrival =
        arrival_of(qp, WcOpcode::kReceive, request.opcode == WrOpcode::kSendWithImmediate);
    if (request.opcode == WrOpcode::kSendWithInvalidate) [[unlikely]] {
        switch (invalidate_for_receive(*peer, request.immediate, slices_)) {
            case Invalidation::kDone:
                break;
            case Invalidation::kPending:
                return partial();
            case Invalidation::kRefused:
                return refused(qp, *peer, Verdict::kOperationError);
        }
        arrival.flags |= kWcWithInvalidate;
        arrival.immediate = request.immediate;
    }
    close_receive(*peer, arrival);
    return complete(WcStatus::kSuccess);
}

Requester::Step Requester::read(QpContext& qp, Turn& turn) {
    SendState& send = qp.send();
    const SendRequest& request = send.request();
    const uint64_t rest = send.rest();
    ScatterList to;
    if (!to.resolve(qp.port().keys().regions(), qp.pd(), request.list(), kAccessLocalWrite,
                    send.done(), rest)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    if (qp.attributes().max_rd_atomic == 0) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    QpContext* peer = reach(qp);
    if (peer == nullptr) {
        return unreachable(qp);
    }
    if ((peer->attributes().qp_access_flags & kAccessRemoteRead) == 0 ||
        peer->attributes().max_dest_rd_atomic == 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList from;
    if (rest != 0 && !add_remote(from, *peer, request.rdma.rkey, request.rdma.remote_address,
                                 request.length, kAccessRemoteRead, send.done(), rest)) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    if (!send.copy_chunk(to, from, rest, turn)) {
        return partial();
    }
    peer->answered().count(request.opcode, request.length);
    return complete(WcStatus::kSuccess);
}

Requester::Step Requester::atomic(QpContext& qp) {
    const SendRequest& request = qp.send().request();
    if (request.length < sizeof(uint64_t)) {
        return complete(WcStatus::kLocalLengthError);
    }
    ScatterList result;
    if (!result.resolve(qp.port().keys().regions(), qp.pd(), request.list(), kAccessLocalWrite, 0,
                        sizeof(uint64_t))) {
        return complete(WcStatus::kLocalProtectionError);
    }
    if (qp.attributes().max_rd_atomic == 0) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    QpContext* peer = reach(qp);
    if (peer == nullptr) {
        return unreachable(qp);
    }
    // IBTA 1.4, 9.4.5.1: the address must be aligned.
    if ((peer->attributes().qp_access_flags & kAccessRemoteAtomic) == 0 ||
        peer->attributes().max_dest_rd_atomic == 0 || request.atomic.remote_address % 8 != 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList target;
    if (!add_remote(target, *peer, request.atomic.rkey, request.atomic.remote_address,
                    sizeof(uint64_t), kAccessRemoteAtomic, 0, sizeof(uint64_t))) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    uint64_t original = atomics_.execute(request, target);
    ScatterList from;
    from.add(reinterpret_cast<std::byte*>(&original), sizeof(original));
    copy(result, from, sizeof(original));
    peer->answered().count(request.opcode, 0);
    return complete(WcStatus::kSuccess);
}

// The queue pair that `qp` names as its peer, if that one names `qp` as well: nobody else may send
// to it (IBTA 1.4, 9.6.1).
QpContext* Requester::find_peer(QpContext& qp) {
    const auto port_of = [this](const QpContext& from) {
        const rnic::AhAttributes& path = from.attributes().ah;
        return fabric_.find_port(path.dgid, from.port().segment(path.sgid_index));
    };
    const PortContext* port = port_of(qp);
    QpContext* peer = fabric_.find_qp(qp.attributes().dest_qp_num);
    const bool connected =
        port != nullptr && peer != nullptr && &peer->port() == port && peer->type() == qp.type() &&
        peer->attributes().dest_qp_num == qp.number() && port_of(*peer) == &qp.port();
    if (!connected) {
        qp.send().forget_peer();
        return nullptr;
    }
    qp.send().set_peer(peer, addresses_of(qp, *peer));
    return peer;
}

// Nobody answers: a reliable connection tries again, retry_cnt times (9.9.2.1).
Requester::Step Requester::unreachable(QpContext& qp) {
    if (is_datagram(qp.type())) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    if (qp.type() != QpType::kRc) {
        return complete(WcStatus::kSuccess);
    }
    if (!qp.send().count_timeout(qp.attributes().retry_cnt)) {
        qp.port().errors().count(VRDMA_COUNTER_RETRY_EXCEEDED_ERR);
        return complete(WcStatus::kRetryExceeded);
    }
    qp.port().errors().count(VRDMA_COUNTER_COMPLETER_RETRY_ERR);
    return wait(transport_delay(qp.attributes().timeout));
}

// The step that follows a refusal by the responder; it depends on the transport.
Requester::Step Requester::refused(QpContext& qp, const QpContext& peer, Verdict verdict) {
    // Without acknowledgements the message is lost, silently (9.8.2).
    if (qp.type() != QpType::kRc) {
        return complete(WcStatus::kSuccess);
    }
    switch (verdict) {
        case Verdict::kNotReady: {
            qp.port().errors().count(VRDMA_COUNTER_RCVD_RNR_ERR);
            peer.port().errors().count(VRDMA_COUNTER_SEND_RNR_ERR);
            const auto naks = qp.send().count_rnr_nak(qp.attributes().rnr_retry);
            if (!naks) {
                qp.port().errors().count(VRDMA_COUNTER_RETRY_RNR_EXCEEDED_ERR);
                return complete(WcStatus::kRnrRetryExceeded);
            }
            return wait(not_ready_delay(peer.attributes().min_rnr_timer, *naks));
        }
        case Verdict::kInvalidRequest:
            return complete(WcStatus::kRemoteInvalidRequest);
        case Verdict::kAccessError:
            return complete(WcStatus::kRemoteAccessError);
        case Verdict::kOperationError:
        case Verdict::kAccepted:
            break;
    }
    return complete(WcStatus::kRemoteOperationError);
}

}  // namespace vrdma::embedded
