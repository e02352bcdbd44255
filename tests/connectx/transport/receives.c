// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Receive requests, as the RoCE transport takes and completes them.
#include "connectx/objects/cq.h"
#include "connectx/transport/callbacks.h"
#include "connectx/transport/responder.h"

// Flags in a completion beside the sender's number.
enum { kHasGrh = 1 << 28, kL3OrLevelShift = 24, kL3Ipv6 = 1, kL3Ipv4 = 2 };

RoceTake take_receive(void* device, void* owner, uint32_t srq_number, RoceReceive* receive) {
    Receive* own = g_new0(Receive, 1);
    const Take take = responder_take(device, owner, srq_number, own);

    if (take != kTaken) {
        g_free(own);
        return take == kQueueBroken ? kRoceQueueBroken : kRoceNonePosted;
    }
    receive->request = own;
    receive->capacity = own->capacity;
    return kRoceTaken;
}

enum ibv_wc_status scatter_receive(void* device, void* owner, const RoceReceive* receive,
                                   uint32_t offset, const uint8_t* data, size_t size) {
    switch (responder_fill(device, receive->request, offset, data, size)) {
        case kSuccess:
            return IBV_WC_SUCCESS;
        case kLocalLength:
            return IBV_WC_LOC_LEN_ERR;
        default:
            return IBV_WC_LOC_PROT_ERR;
    }
}

static unsigned opcode_of(const RoceReceived* received) {
    if (received->opcode == IBV_WC_RECV_RDMA_WITH_IMM) {
        return kCqeWriteImmediate;
    }
    if (received->with_invalidate) {
        return kCqeSendInvalidate;
    }
    return received->with_immediate ? kCqeSendImmediate : kCqeSend;
}

static uint32_t source_of(const Connectx* nic, const RoceReceived* received) {
    const RoceAddress* address = received->address;
    uint32_t source = received->source_qpn;

    if (address->global) {
        source |= kHasGrh;
    }
    if (nic->ethernet) {
        source |= (roce_gid_is_ipv4(address->dgid) ? kL3Ipv4 : kL3Ipv6) << kL3OrLevelShift;
    } else {
        source |= (uint32_t)address->service_level << kL3OrLevelShift;
    }
    return source;
}

void complete_message(void* device, void* owner, const RoceReceive* receive,
                      const RoceReceived* received) {
    Connectx* nic = device;
    const Qp* qp = owner;
    Arrival arrival = {
        .opcode = opcode_of(received),
        .solicited = received->solicited,
        .source = qp->remote,
        // The other side of a connection has the LID of the path to it (IBA 9.6.1.5).
        .lid = nic->ethernet ? 0 : path_of_qp(nic, qp).dlid,
    };
    uint8_t key[4];

    if (received->with_invalidate) {
        stl_be_p(key, received->invalidated_rkey);
        arrival.immediate = key;
    } else if (received->with_immediate) {
        arrival.immediate = received->immediate;
    }
    if (received->address) {
        arrival.source = source_of(nic, received);
        arrival.lid = received->address->slid;
        arrival.tagged = received->address->tagged;
        arrival.vlan = received->address->vlan;
        arrival.with_pkey = true;
        arrival.pkey = received->pkey;
    }
    responder_complete(nic, qp, receive->request, syndrome_of(received->status), received->length,
                       &arrival);
    g_free(receive->request);
}

void drop_receive(void* device, void* owner, const RoceReceive* receive) {
    g_free(receive->request);
}
