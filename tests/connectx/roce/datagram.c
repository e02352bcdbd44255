/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Datagrams: UD, and queue pair 1 (IBA 9.8.4). */
#include "queue_pair.h"

/* A failed request leaves the other half of the queue pair as it is (IBA 10.8.5.2). */
static void fail(RoceQp* qp, const RoceSend* send, enum ibv_wc_status status) {
    const RoceTransport* transport = qp->transport;

    transport->ops->complete_send(transport->device, qp->owner, send, status, 0);
    qp->state = IBV_QPS_SQE;
    transport->ops->moved(transport->device, qp->owner, IBV_QPS_SQE);
}

static enum ibv_wc_status send_datagram(RoceQp* qp, const RoceSend* send) {
    enum { CONTROLLED_QKEY = 1u << 31 };
    RoceTransport* transport = qp->transport;
    const RoceQpAttributes* attributes = &qp->attributes;
    const bool with_imm = send->opcode == IBV_WR_SEND_WITH_IMM;
    enum ibv_wc_status status = IBV_WC_SUCCESS;
    RocePacket packet = {
        .opcode = IBV_OPCODE_UD_SEND_ONLY,
        .solicited = send->solicited,
        .pkey = attributes->pkey,
        .dest_qpn = send->remote_qpn & kRoceQpnMask,
        .psn = qp->requester.psn,
        /* IBA 10.2.5: who may not name such a key sends the queue pair's. */
        .qkey = send->remote_qkey & CONTROLLED_QKEY ? attributes->qkey : send->remote_qkey,
        .source_qpn = attributes->source_qpn ? attributes->source_qpn : qp->qpn,
        .size = send->length,
    };

    if (send->local) {
        return transport->ops->run_local(transport->device, qp->owner, send);
    }
    if (send->opcode != IBV_WR_SEND && !with_imm) {
        return IBV_WC_LOC_QP_OP_ERR;
    }
    if (send->length > attributes->mtu) {
        return IBV_WC_LOC_LEN_ERR;
    }
    if (with_imm) {
        packet.opcode = IBV_OPCODE_UD_SEND_ONLY_WITH_IMMEDIATE;
        memcpy(packet.immediate, send->immediate, sizeof(packet.immediate));
    }
    if (send->length) {
        status = transport->ops->gather(transport->device, qp->owner, send, 0,
                                        transport->packet + roce_headers_size(packet.opcode),
                                        send->length);
    }
    if (status == IBV_WC_SUCCESS) {
        roce_send(transport, send->address, &packet);
        qp->requester.psn = (qp->requester.psn + 1) & kRocePsnMask;
    }
    return status;
}

unsigned roce_datagram_run(RoceQp* qp, unsigned budget) {
    const RoceTransport* transport = qp->transport;

    if (qp->state == IBV_QPS_SQD && !qp->requester.drained) {
        qp->requester.drained = true;
        roce_qp_event(qp, IBV_EVENT_SQ_DRAINED);
    }
    while (budget && qp->state == IBV_QPS_RTS && roce_ready(transport)) {
        RoceSend send = {0};
        enum ibv_wc_status status;

        if (!transport->ops->next_send(transport->device, qp->owner, &send)) {
            break;
        }
        budget--;
        status = send_datagram(qp, &send);
        if (status == IBV_WC_SUCCESS) {
            transport->ops->complete_send(transport->device, qp->owner, &send, status, send.length);
        } else {
            fail(qp, &send, status);
        }
    }
    return budget;
}

/* Copies the network header and the data to a receive request. */
static enum ibv_wc_status scatter(RoceQp* qp, const RoceReceive* receive,
                                  const RoceAddress* address, const RocePacket* packet) {
    const RoceTransport* transport = qp->transport;
    enum ibv_wc_status status;

    if (packet->size + kRoceNetworkHeaderBytes > receive->capacity) {
        return IBV_WC_LOC_LEN_ERR;
    }
    status = transport->ops->scatter_receive(transport->device, qp->owner, receive, 0,
                                             address->network_header, kRoceNetworkHeaderBytes);
    if (status == IBV_WC_SUCCESS && packet->size) {
        status =
            transport->ops->scatter_receive(transport->device, qp->owner, receive,
                                            kRoceNetworkHeaderBytes, packet->payload, packet->size);
    }
    return status;
}

void roce_datagram_receive(RoceQp* qp, const RoceAddress* address, const RocePacket* packet) {
    const RoceTransport* transport = qp->transport;
    RoceReceived received = {
        .opcode = IBV_WC_RECV,
        .length = (uint32_t)packet->size + kRoceNetworkHeaderBytes,
        .with_immediate = roce_opcode_parts(packet->opcode) & kRoceImmediate,
        .solicited = packet->solicited,
        .source_qpn = packet->source_qpn,
        .pkey = packet->pkey,
        .address = address,
    };
    RoceReceive receive = {0};

    if (packet->qkey != qp->attributes.qkey) {
        qp->transport->counters.bad_qkey++;
        return;
    }
    switch (transport->ops->take_receive(transport->device, qp->owner, 0, &receive)) {
        case kRoceNonePosted:
            qp->transport->counters.not_ready++;
            return;
        case kRoceQueueBroken:
            roce_qp_error(qp);
            return;
        default:
            break;
    }
    memcpy(received.immediate, packet->immediate, sizeof(received.immediate));
    received.status = scatter(qp, &receive, address, packet);
    transport->ops->complete_receive(transport->device, qp->owner, &receive, &received);
    if (received.status != IBV_WC_SUCCESS) {
        roce_qp_error(qp);
    }
}
