// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What the RoCE transport is told of a queue pair.
#include "connectx/port.h"
#include "connectx/transport/callbacks.h"

enum {
    kSmallestMtu = 128,  // times 2^mtu: 1 is 256 bytes
    kMostTimeout = 31,
    kPatience = 2,  // log2
};

static int access_of(const Qp* qp) {
    return (QPC(qp, rre) ? IBV_ACCESS_REMOTE_READ : 0) |
           (QPC(qp, rwe) ? IBV_ACCESS_REMOTE_WRITE : 0) |
           (QPC(qp, rae) ? IBV_ACCESS_REMOTE_ATOMIC : 0);
}

// IBA 9.7.6.1.3 lets an adapter wait for up to four times what it is told.  This one does: the
// other side may be a machine under emulation, which waits for its turn on a processor.
static uint8_t timeout_of(const Qp* qp) {
    const uint8_t* path = IFC_AT(qpc, qp->context, primary_address_path);
    const uint8_t told = IFC_GET(ads, path, ack_timeout);

    return told ? MIN(told + kPatience, kMostTimeout) : 0;
}

void attributes_of(const Connectx* nic, const Qp* qp, RoceQpAttributes* attributes) {
    const bool datagrams = qp_is_datagram(qp);
    const uint32_t mtu = kSmallestMtu << QPC(qp, mtu);

    *attributes = (RoceQpAttributes){
        .access = access_of(qp),
        .pkey = kDefaultPkey,
        .qkey = QPC(qp, q_key),
        // A datagram is one packet, which the port's frames have room for.
        .mtu = datagrams ? MIN(mtu, port_packet_mtu(nic)) : mtu,
        .remote_qpn = qp->remote,
        .receive_psn = QPC(qp, next_rcv_psn),
        .send_psn = QPC(qp, next_send_psn),
        .max_reads = MIN(1u << QPC(qp, log_sra_max), kRoceMaxReads),
        .max_reads_served = MIN(1u << QPC(qp, log_rra_max), kRoceMaxReads),
        .min_rnr_timer = QPC(qp, min_rnr_nak),
        .timeout = timeout_of(qp),
        .retry_count = QPC(qp, retry_count),
        .rnr_retry = QPC(qp, rnr_retry),
        .shared_receive = qp->rq_type == kSharedRq && qp->type != kXrc,
    };
    if (!datagrams) {
        attributes->path = path_of_qp(nic, qp);
    }
}
