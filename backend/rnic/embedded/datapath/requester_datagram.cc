// SPDX-License-Identifier: Apache-2.0
// Copyright (c) 2026 the vrdma authors
// The operations of a datagram queue pair's send queue (IBTA 1.4, 9.8.3).
#include <array>
#include <mutex>

#include "rnic/embedded/datapath/network_header.h"
#include "rnic/embedded/datapath/requester.h"

namespace vrdma::embedded {
namespace {

constexpr uint32_t kPrivilegedQkey = 0x80000000;

}  // namespace

// The address that a datagram goes to, or null when the guest names none that it may use.
const rnic::AhAttributes* Requester::address_of(const QpContext& qp) {
    const SendRequest& request = qp.send().request();
    if (request.ud.ah_number == 0) {
        const rnic::AhAttributes& address = request.address;
        return address.port == rnic::kGuestPort && qp.port().has_gid(address.sgid_index) ? &address
                                                                                         : nullptr;
    }
    const AddressVector* address = qp.port().address_handles().find(request.ud.ah_number);
    return address != nullptr && address->pd == &qp.pd() ? &address->attributes : nullptr;
}

// The queue pair of that number at the port that has the GID in the frame's segment, if it takes
// datagrams. The frame then has the VLAN as that port knows it.
QpContext* Requester::datagram_peer(const rnic::AhAttributes& address, uint32_t number,
                                    Segment segment, Frame& frame) const {
    const GidTable::Place place = fabric_.find_place(address.dgid, segment);
    const PortContext* port = place.port;
    frame.vlan = place.vlan;
    if (port == nullptr) {
        return nullptr;
    }
    if (number == kGsiQpNumber) {
        return port->gsi();
    }
    QpContext* peer = fabric_.find_qp(number);
    return peer != nullptr && &peer->port() == port && peer->type() == QpType::kUd ? peer : nullptr;
}

// A datagram that the receiver cannot take is lost, which is no error.
Requester::Step Requester::datagram(QpContext& qp, Turn& turn) {
    const SendRequest& request = qp.send().request();
    if (request.opcode != WrOpcode::kSend && request.opcode != WrOpcode::kSendWithImmediate) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    const rnic::AhAttributes* address = address_of(qp);
    if (address == nullptr) {
        return complete(WcStatus::kLocalQpOperationError);
    }
    const PortContext& port = qp.port();
    std::array<std::byte, kGrhSize> header;
    ScatterList from;
    from.add(header.data(), header.size());
    if (request.length != 0 &&
        !qp.send().gather(port.keys().regions(), qp.pd(), request.length, from)) {
        return complete(WcStatus::kLocalProtectionError);
    }
    // C10-93.1.1: a datagram that exceeds the port's MTU is not sent, and that is no error.
    if (request.length > kPortMtu) {
        return complete(WcStatus::kSuccess);
    }
    // The receiver believes the source address: it must be the port's, and no other guest's.
    const Segment segment = port.segment(address->sgid_index);
    if (!port.has_gid(address->sgid_index) ||
        fabric_.find_port(port.gid(address->sgid_index), segment) != &port) {
        return complete(WcStatus::kSuccess);
    }

    const bool to_group = request.ud.remote_qpn == kMulticastQpNumber;
    Frame frame{.vlan = segment.vlan, .packet_type = 0};
    QpContext* peer =
        to_group ? nullptr : datagram_peer(*address, request.ud.remote_qpn, segment, frame);
    if (peer == nullptr && !to_group) {
        return complete(WcStatus::kSuccess);
    }
    frame.packet_type =
        write_network_header(header, port.gid(address->sgid_index), *address, request.length);
    if (to_group) {
        return multicast(qp, address->dgid, from, frame, turn) ? complete(WcStatus::kSuccess)
                                                               : partial();
    }
    deliver(qp, *peer, from, frame);
    turn.copied(request.length);
    return complete(WcStatus::kSuccess);
}

// The datagram goes to each queue pair of the group by itself, the sender's included (IBTA 1.4,
// 10.5.2), where the port is in the VLAN. False: the turn is over, and members are left.
bool Requester::multicast(QpContext& qp, const rnic::Gid& group, const ScatterList& from,
                          Frame frame, Turn& turn) {
    SendState& send = qp.send();
    for (const MulticastGroups::Member& member : fabric_.members(group, send.next_member())) {
        if (turn.is_over()) {
            send.set_next_member(member.number);
            return false;
        }
        turn.spend(kMessageCost);
        if (member.qp->port().network() == qp.port().network() &&
            member.qp->port().is_in_vlan(frame.vlan)) {
            deliver(qp, *member.qp, from, frame);
            turn.copied(send.request().length + kGrhSize);
        }
    }
    return true;
}

void Requester::deliver(const QpContext& qp, QpContext& peer, const ScatterList& from,
                        Frame frame) {
    const SendRequest& request = qp.send().request();
    if (!peer.receives()) {
        return;
    }
    // IBTA 1.4, 10.2.5: a Q_Key with its top bit set stands for the sender's own.
    const uint32_t qkey =
        (request.ud.remote_qkey & kPrivilegedQkey) != 0 ? qp.qkey() : request.ud.remote_qkey;
    if (qkey != peer.qkey()) {
        return;
    }

    const uint64_t length = request.length + kGrhSize;
    const std::lock_guard lock(peer.receive());
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
    arrival.source_qp = qp.number();
    arrival.packet_type = frame.packet_type;
    if (frame.vlan != rnic::kNoVlan) {
        arrival.flags |= kWcWithVlan;
        arrival.vlan = frame.vlan;
    }
    close_receive(peer, arrival);
}

}  // namespace vrdma::embedded
