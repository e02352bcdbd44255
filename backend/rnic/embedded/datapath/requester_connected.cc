// SPDX-License-Identifier: Apache-2.0
// What each operation of a send queue does.
#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "rnic/embedded/datapath/network_header.h"
#include "rnic/embedded/datapath/requester.h"
#include "rnic/embedded/engine.h"
#include "rnic/embedded/verbs/qp.h"

namespace vrdma::embedded {
namespace {

constexpr uint8_t kRetryForever = 7;
constexpr uint32_t kPrivilegedQkey = 0x80000000;
// Where repeated RNR NAKs of one message stop growing apart, see not_ready_delay().
constexpr uint64_t kSlowRnrNs = 1'000'000;

// IBTA 1.4, 9.7.5.2.8 (table 45): encoded timer values in units of 10 microseconds.
constexpr std::array<uint32_t, 32> kRnrTimer{65536, 1,    2,    3,     4,     6,     8,     12,
                                             16,    24,   32,   48,    64,    96,    128,   192,
                                             256,   384,  512,  768,   1024,  1536,  2048,  3072,
                                             4096,  6144, 8192, 12288, 16384, 24576, 32768, 49152};

// The timer is a minimum.  A receiver that stays away long makes short ones longer,
// so that a message which is retried for ever costs next to nothing.
uint64_t not_ready_delay(uint8_t timer, uint32_t naks) {
    const uint64_t delay = uint64_t{kRnrTimer[timer & 31]} * 10'000;
    if (delay >= kSlowRnrNs) return delay;
    return std::min(delay << std::min(naks / 4, 16u), kSlowRnrNs);
}

// IBTA 1.4, 9.7.6.1.3: the timeout is 4.096 us * 2^value, and 0 means none.
uint64_t transport_delay(uint8_t timeout) {
    return timeout == 0 ? Requester::kForever : uint64_t{4096} << (timeout & 31);
}

Arrival arrival_of(const Qp& qp, WcOpcode opcode, bool immediate) {
    const SendRequest& request = qp.send.request;
    return {.opcode = opcode,
            .length = request.length,
            .flags = immediate ? kWcWithImmediate : 0,
            .immediate = immediate ? request.immediate : 0,
            .solicited = (request.flags & kSendSolicited) != 0};
}

bool add_window(ScatterList& list, Qp& peer, uint32_t rkey, uint64_t address, uint64_t size,
                uint32_t access, uint64_t skip, uint64_t length) {
    Mw* mw = peer.port.mws.at(rkey);
    if (mw == nullptr) return false;
    const Mr* mr = mw->resolve(rkey, peer, address, size, access);
    return mr != nullptr && list.add(*mr, address, size, skip, length);
}

// The bytes [skip, skip + length) of the `size` ones that the R_Key of a region or of a
// window gives access to.
[[gnu::always_inline]] inline bool add_remote(ScatterList& list, Qp& peer, uint32_t rkey,
                                              uint64_t address, uint64_t size, uint32_t access,
                                              uint64_t skip, uint64_t length) {
    if ((rkey & MwTable::kWindowBit) != 0) [[unlikely]] {
        return add_window(list, peer, rkey, address, size, access, skip, length);
    }
    return list.add(peer.port.mrs, peer.pd, rkey, address, size, access, skip, length);
}

}  // namespace

// The next three are most of what a small message costs, hence inline.

// The bytes of the message from `done` on, as the guest listed them.
[[gnu::always_inline]] inline bool Requester::gather(Qp& qp, uint64_t rest,
                                                     ScatterList& list) const {
    SendSide& send = qp.send;
    if (send.request.is_inline) {
        list.add(send.request.inline_data.data() + send.done, rest);
        return true;
    }
    return list.resolve(qp.port.mrs, qp.pd, send.request.list(), 0, send.done, rest);
}

// True when the message is copied to its end.
[[gnu::always_inline]] inline bool Requester::copy_chunk(SendSide& send, const ScatterList& to,
                                                         const ScatterList& from, uint64_t rest,
                                                         uint64_t& budget) {
    const uint64_t chunk = std::min(rest, budget);
    const uint64_t copied = chunk != 0 ? copy_slice(to, from, chunk) : 0;
    send.done += copied;
    budget = copied == chunk ? budget - chunk : 0;
    return copied == rest;
}

[[gnu::always_inline]] inline Qp* Requester::reach(Qp& qp) {
    if (qp.send.generation != engine_.generation) [[unlikely]] {
        find_peer(qp);
    }
    Qp* peer = qp.send.peer;
    if (peer == nullptr || !peer->receives()) return nullptr;
    if (peer->state.load(std::memory_order_relaxed) == QpState::kReadyToReceive) [[unlikely]] {
        // IBTA 1.4, 11.6.3.2: the first message before the queue pair is told to send.
        if (!peer->receive.established.exchange(true, std::memory_order_relaxed)) {
            peer->port.sink.async_event(rnic::AsyncEventType::kCommunicationEstablished,
                                        peer->handle);
        }
    }
    return peer;
}

Requester::Step Requester::write(Qp& qp, uint64_t& budget) {
    SendSide& send = qp.send;
    const SendRequest& request = send.request;
    const uint64_t rest = request.length - send.done;
    ScatterList from;
    if (!gather(qp, rest, from)) return complete(WcStatus::kLocalProtectionError);
    Qp* peer = reach(qp);
    if (peer == nullptr) return unreachable(qp);
    if ((peer->attributes.qp_access_flags & kAccessRemoteWrite) == 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList to;
    // IBTA 1.4, 9.7.4.1.6: the R_Key of an empty message is not checked.
    if (rest != 0 && !add_remote(to, *peer, request.rdma.rkey, request.rdma.remote_address,
                                 request.length, kAccessRemoteWrite, send.done, rest)) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    if (request.opcode == WrOpcode::kRdmaWrite) [[likely]] {
        return copy_chunk(send, to, from, rest, budget) ? complete(WcStatus::kSuccess) : partial();
    }

    std::lock_guard lock(peer->receive.lock);
    if (!send.opened_at_peer || !peer->receive.active) {
        const Verdict verdict = open_receive(*peer, 0);
        if (verdict != Verdict::kAccepted) return refused(qp, *peer, verdict);
        send.opened_at_peer = true;
    }
    if (!copy_chunk(send, to, from, rest, budget)) return partial();
    close_receive(*peer, arrival_of(qp, WcOpcode::kReceiveRdmaWithImmediate, true));
    return complete(WcStatus::kSuccess);
}

Requester::Step Requester::send(Qp& qp, uint64_t& budget) {
    SendSide& send = qp.send;
    const SendRequest& request = send.request;
    const uint64_t rest = request.length - send.done;
    ScatterList from;
    if (!gather(qp, rest, from)) return complete(WcStatus::kLocalProtectionError);
    Qp* peer = reach(qp);
    if (peer == nullptr) return unreachable(qp);

    std::lock_guard lock(peer->receive.lock);
    if (!send.opened_at_peer) {
        const Verdict verdict = open_receive(*peer, request.length);
        if (verdict != Verdict::kAccepted) return refused(qp, *peer, verdict);
        send.opened_at_peer = true;
    } else if (!peer->receive.active) {
        // The peer was reset and connected again meanwhile: it gets the whole message.
        send.opened_at_peer = false;
        send.done = 0;
        return partial();
    }
    ScatterList to;
    const Verdict verdict = scatter_receive(*peer, send.done, rest, to);
    if (verdict != Verdict::kAccepted) return refused(qp, *peer, verdict);
    if (!copy_chunk(send, to, from, rest, budget)) return partial();
    Arrival arrival =
        arrival_of(qp, WcOpcode::kReceive, request.opcode == WrOpcode::kSendWithImmediate);
    if (request.opcode == WrOpcode::kSendWithInvalidate) [[unlikely]] {
        switch (invalidate_for_receive(*peer, request.immediate, qp.port.worker)) {
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

Requester::Step Requester::read(Qp& qp, uint64_t& budget) {
    SendSide& send = qp.send;
    const SendRequest& request = send.request;
    const uint64_t rest = request.length - send.done;
    ScatterList to;
    if (!to.resolve(qp.port.mrs, qp.pd, request.list(), kAccessLocalWrite, send.done, rest)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    if (qp.attributes.max_rd_atomic == 0) return complete(WcStatus::kLocalQpOperationError);
    Qp* peer = reach(qp);
    if (peer == nullptr) return unreachable(qp);
    if ((peer->attributes.qp_access_flags & kAccessRemoteRead) == 0 ||
        peer->attributes.max_dest_rd_atomic == 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList from;
    if (rest != 0 && !add_remote(from, *peer, request.rdma.rkey, request.rdma.remote_address,
                                 request.length, kAccessRemoteRead, send.done, rest)) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    return copy_chunk(send, to, from, rest, budget) ? complete(WcStatus::kSuccess) : partial();
}

Requester::Step Requester::atomic(Qp& qp) {
    const SendRequest& request = qp.send.request;
    if (request.length < sizeof(uint64_t)) return complete(WcStatus::kLocalLengthError);
    ScatterList result;
    if (!result.resolve(qp.port.mrs, qp.pd, request.list(), kAccessLocalWrite, 0,
                        sizeof(uint64_t))) {
        return complete(WcStatus::kLocalProtectionError);
    }
    if (qp.attributes.max_rd_atomic == 0) return complete(WcStatus::kLocalQpOperationError);
    Qp* peer = reach(qp);
    if (peer == nullptr) return unreachable(qp);
    // IBTA 1.4, 9.4.5.1: the address must be aligned.
    if ((peer->attributes.qp_access_flags & kAccessRemoteAtomic) == 0 ||
        peer->attributes.max_dest_rd_atomic == 0 || request.atomic.remote_address % 8 != 0) {
        return refused(qp, *peer, refuse(*peer, Verdict::kInvalidRequest));
    }
    ScatterList target;
    if (!add_remote(target, *peer, request.atomic.rkey, request.atomic.remote_address,
                    sizeof(uint64_t), kAccessRemoteAtomic, 0, sizeof(uint64_t))) {
        return refused(qp, *peer, refuse(*peer, Verdict::kAccessError));
    }
    uint64_t original = execute_atomic(request, target);
    ScatterList from;
    from.add(reinterpret_cast<std::byte*>(&original), sizeof(original));
    copy(result, from, sizeof(original));
    return complete(WcStatus::kSuccess);
}

uint64_t Requester::execute_atomic(const SendRequest& request, const ScatterList& target) {
    const bool swap = request.opcode == WrOpcode::kCompareAndSwap;
    const uint64_t operand = request.atomic.compare_or_add;
    std::byte* address = ScatterCursor(target).peek(sizeof(uint64_t)).data();
    if (reinterpret_cast<uintptr_t>(address) % sizeof(uint64_t) == 0) [[likely]] {
        std::atomic_ref<uint64_t> word(*reinterpret_cast<uint64_t*>(address));
        if (!swap) return word.fetch_add(operand);
        uint64_t expected = operand;
        word.compare_exchange_strong(expected, request.atomic.swap);
        return expected;
    }
    // The guest's memory is aligned differently here, or in two pieces: the CPU has no
    // atomic access for that, so such words are atomic among the RNIC's accesses only
    // (atomic_cap is IB_ATOMIC_HCA).
    std::lock_guard lock(engine_.unaligned_atomics);
    uint64_t word = 0;
    ScatterList local;
    local.add(reinterpret_cast<std::byte*>(&word), sizeof(word));
    copy(local, target, sizeof(word));
    const uint64_t original = word;
    if (swap) {
        if (word == operand) word = request.atomic.swap;
    } else {
        word += operand;
    }
    if (word != original) copy(target, local, sizeof(word));
    return original;
}

// Where a datagram goes, or null when the guest names no address that it may use.
const rnic::AhAttributes* Requester::address_of(const Qp& qp) {
    const SendRequest& request = qp.send.request;
    if (request.ud.ah_number == 0) {
        const rnic::AhAttributes& address = request.address;
        return address.port == 1 && qp.port.has_gid(address.sgid_index) ? &address : nullptr;
    }
    const Ah* ah = qp.port.ahs.find(request.ud.ah_number);
    return ah != nullptr && ah->pd() == &qp.pd ? &ah->attributes() : nullptr;
}

// The queue pair of that number at the port that has the GID, if it takes datagrams.
Qp* Requester::datagram_peer(const rnic::AhAttributes& address, uint32_t number) const {
    const PortState* port = engine_.addresses.find(address.dgid);
    if (port == nullptr) return nullptr;
    if (number == kGsiQpNumber) return port->gsi;
    Qp* peer = engine_.qps.find(number);
    return peer != nullptr && &peer->port == port && peer->type == QpType::kUd ? peer : nullptr;
}

// A datagram that the receiver cannot take is lost, which is no error (9.8.3).
Requester::Step Requester::datagram(Qp& qp, uint64_t& budget) {
    const SendRequest& request = qp.send.request;
    if (request.opcode != WrOpcode::kSend && request.opcode != WrOpcode::kSendWithImmediate) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    const rnic::AhAttributes* address = address_of(qp);
    if (address == nullptr) return complete(WcStatus::kLocalQpOperationError);
    std::array<std::byte, kGrhSize> header;
    ScatterList from;
    from.add(header.data(), header.size());
    if (request.length != 0 && !gather(qp, request.length, from)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    // C10-93.1.1: one that exceeds the port's MTU is not sent, and that is no error.
    if (request.length > kPortMtu) return complete(WcStatus::kSuccess);
    if (!qp.port.has_gid(address->sgid_index)) return complete(WcStatus::kSuccess);

    const bool to_group = request.ud.remote_qpn == kMulticastQpNumber;
    Qp* peer = to_group ? nullptr : datagram_peer(*address, request.ud.remote_qpn);
    if (peer == nullptr && !to_group) return complete(WcStatus::kSuccess);
    write_network_header(header, *qp.port.gids[address->sgid_index], *address, request.length);
    if (to_group) {
        multicast(qp, address->dgid, from, budget);
    } else {
        deliver(qp, *peer, from);
    }
    return complete(WcStatus::kSuccess);
}

// To each queue pair of the group on its own, the sender's included (IBTA 1.4, 10.5.2).
void Requester::multicast(Qp& qp, const rnic::Gid& group, const ScatterList& from,
                          uint64_t& budget) {
    for (Qp* member : engine_.groups.members(group)) {
        deliver(qp, *member, from);
        budget -= std::min(budget, qp.send.request.length + kGrhSize);
    }
}

void Requester::deliver(const Qp& qp, Qp& peer, const ScatterList& from) {
    const SendRequest& request = qp.send.request;
    if (!peer.receives()) return;
    // IBTA 1.4, 10.2.5: a Q_Key with its top bit set stands for the sender's own.
    const uint32_t qkey =
        (request.ud.remote_qkey & kPrivilegedQkey) != 0 ? qp.qkey() : request.ud.remote_qkey;
    if (qkey != peer.qkey()) return;

    const uint64_t length = request.length + kGrhSize;
    std::lock_guard lock(peer.receive.lock);
    ScatterList to;
    if (open_receive(peer, length) != Verdict::kAccepted ||
        scatter_receive(peer, 0, length, to) != Verdict::kAccepted) {
        return;
    }
    copy(to, from, length);
    Arrival arrival =
        arrival_of(qp, WcOpcode::kReceive, request.opcode == WrOpcode::kSendWithImmediate);
    arrival.length = length;
    arrival.flags |= kWcGrh;
    arrival.source_qp = qp.number;
    close_receive(peer, arrival);
}

// The queue pair that this one names as its peer, if that names this one as well:
// nobody else may send to it (IBTA 1.4, 9.6.1).
void Requester::find_peer(Qp& qp) {
    qp.send.generation = engine_.generation;
    qp.send.peer = nullptr;
    const PortState* port = engine_.addresses.find(qp.attributes.ah.dgid);
    Qp* peer = engine_.qps.find(qp.attributes.dest_qp_num);
    if (port == nullptr || peer == nullptr || &peer->port != port || peer->type != qp.type ||
        peer->attributes.dest_qp_num != qp.number ||
        engine_.addresses.find(peer->attributes.ah.dgid) != &qp.port) {
        return;
    }
    qp.send.peer = peer;
}

// Nobody answers: a reliable connection tries again, retry_cnt times (9.9.2.1).
Requester::Step Requester::unreachable(Qp& qp) {
    if (qp.type != QpType::kRc) return complete(WcStatus::kSuccess);
    if (qp.send.timeouts > qp.attributes.retry_cnt) return complete(WcStatus::kRetryExceeded);
    ++qp.send.timeouts;
    return wait(transport_delay(qp.attributes.timeout));
}

Requester::Step Requester::refused(Qp& qp, Qp& peer, Verdict verdict) {
    // Without acknowledgements the message is lost, silently (9.8.2).
    if (qp.type != QpType::kRc) return complete(WcStatus::kSuccess);
    switch (verdict) {
        case Verdict::kNotReady: {
            SendSide& send = qp.send;
            if (qp.attributes.rnr_retry != kRetryForever &&
                send.rnr_naks >= qp.attributes.rnr_retry) {
                return complete(WcStatus::kRnrRetryExceeded);
            }
            send.timeouts = 0;
            return wait(not_ready_delay(peer.attributes.min_rnr_timer, send.rnr_naks++));
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

Requester::Step Requester::execute(Qp& qp, uint64_t& budget) {
    if (qp.send.defect != WcStatus::kSuccess) return complete(qp.send.defect);
    if (is_datagram(qp.type)) return datagram(qp, budget);
    switch (qp.send.request.opcode) {
        case WrOpcode::kRdmaWrite:
        case WrOpcode::kRdmaWriteWithImmediate:
            return write(qp, budget);
        case WrOpcode::kSend:
        case WrOpcode::kSendWithImmediate:
            return send(qp, budget);
        case WrOpcode::kRdmaRead:
            if (qp.type == QpType::kRc) return read(qp, budget);
            break;
        case WrOpcode::kSendWithInvalidate:
            if (qp.type == QpType::kRc) return send(qp, budget);
            break;
        case WrOpcode::kRegisterMr:
            return register_memory(qp, budget);
        case WrOpcode::kLocalInvalidate:
            return invalidate(qp);
        case WrOpcode::kBindWindow:
            return bind_window(qp);
        case WrOpcode::kCompareAndSwap:
        case WrOpcode::kFetchAndAdd:
            if (qp.type == QpType::kRc) return atomic(qp);
            break;
    }
    return complete(WcStatus::kLocalQpOperationError);
}

}  // namespace vrdma::embedded
