/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Requests of the other side: SEND and WRITE, and the order of all of them (IBA 9.7.4). */
#include "queue_pair.h"

void roce_responder_start(RoceQp* qp) {
    RoceResponder* r = &qp->responder;

    memset(r, 0, sizeof(*r));
    r->psn = qp->attributes.receive_psn;
}

/* Ends the receive request that was taken. */
static void complete_receive(RoceQp* qp, const RoceReceived* received) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;

    r->taken = false;
    transport->ops->complete_receive(transport->device, qp->owner, &r->receive, received);
}

void roce_responder_flush(RoceQp* qp, bool drop) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;

    if (r->taken && drop) {
        r->taken = false;
        transport->ops->drop_receive(transport->device, qp->owner, &r->receive);
    } else if (r->taken) {
        complete_receive(qp, &(RoceReceived){.status = IBV_WC_WR_FLUSH_ERR});
    }
    r->message = kRoceBetween;
    r->answers_count = 0;
    r->ack_due = false;
}

void roce_responder_acknowledge(RoceQp* qp, uint32_t psn, uint8_t syndrome) {
    RoceResponder* r = &qp->responder;

    r->ack_due = true;
    r->ack_psn = psn & kRocePsnMask;
    r->syndrome = syndrome;
    roce_qp_schedule(qp);
}

void roce_responder_refuse(RoceQp* qp, uint8_t nak, enum ibv_wc_status status,
                           enum ibv_event_type event) {
    RoceResponder* r = &qp->responder;

    if (r->taken) {
        complete_receive(qp, &(RoceReceived){.status = status});
    }
    r->message = kRoceBetween;
    r->closing = true;
    roce_responder_acknowledge(qp, r->psn, nak);
    roce_qp_event(qp, event);
}

/* UC: the rest of the message is lost, and nobody is told (IBA 9.8.3).  Its receive request waits
 * for the next message. */
static void abandon(RoceQp* qp) {
    qp->responder.message = kRoceBetween;
}

/* A message that the queue pair's service does not allow, or that its sender makes wrong. */
static void invalid(RoceQp* qp) {
    if (roce_is_reliable(qp)) {
        roce_responder_refuse(qp, kRoceNakInvalidRequest, IBV_WC_WR_FLUSH_ERR,
                              IBV_EVENT_QP_REQ_ERR);
    } else {
        abandon(qp);
    }
}

static void no_access(RoceQp* qp) {
    if (roce_is_reliable(qp)) {
        roce_responder_refuse(qp, kRoceNakRemoteAccess, IBV_WC_WR_FLUSH_ERR,
                              IBV_EVENT_QP_ACCESS_ERR);
    } else {
        abandon(qp);
    }
}

/* An error of this side's receive request: the request says so, and the queue pair is done. */
static void local_error(RoceQp* qp, enum ibv_wc_status status, uint8_t nak) {
    if (roce_is_reliable(qp)) {
        roce_responder_refuse(qp, nak, status, IBV_EVENT_QP_FATAL);
        return;
    }
    complete_receive(qp, &(RoceReceived){.status = status});
    roce_qp_error(qp);
}

/* Takes a receive request, unless one is taken.  False when the packet ends here. */
static bool take_receive(RoceQp* qp, const RocePacket* packet) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;

    if (r->taken) {
        return true;
    }
    switch (transport->ops->take_receive(transport->device, qp->owner, packet->srq_number,
                                         &r->receive)) {
        case kRoceTaken:
            r->taken = true;
            return true;
        case kRoceNonePosted:
            if (roce_is_reliable(qp)) {
                /* IBA 9.7.5.2.8: the packet is expected again. */
                qp->transport->counters.not_ready++;
                r->refused = true;
                roce_responder_acknowledge(qp, r->psn,
                                           kRoceSyndromeRnr | qp->attributes.min_rnr_timer);
            } else {
                abandon(qp);
            }
            return false;
        default:
            if (roce_is_reliable(qp)) {
                roce_responder_refuse(qp, kRoceNakRemoteOperation, IBV_WC_WR_FLUSH_ERR,
                                      IBV_EVENT_QP_FATAL);
            } else {
                roce_qp_error(qp);
            }
            return false;
    }
}

/* The packet has been executed. */
static void accept(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    RoceResponder* r = &qp->responder;

    r->psn = (packet->psn + 1) & kRocePsnMask;
    if (parts & kRoceLast) {
        r->msn = (r->msn + 1) & kRocePsnMask;
        r->message = kRoceBetween;
    } else {
        r->message = parts & kRoceSend ? kRoceInSend : kRoceInWrite;
    }
    if (packet->ack_request && roce_is_reliable(qp)) {
        roce_responder_acknowledge(qp, packet->psn, kRoceSyndromeAck | kRoceNoCredits);
    }
}

/* IBA 9.7.4.1.6: only the last packet of a message is shorter than the path's MTU. */
static bool size_is_right(const RoceQp* qp, const RocePacket* packet, unsigned parts) {
    const uint32_t mtu = qp->attributes.mtu;

    if (!(parts & kRoceLast)) {
        return packet->size == mtu;
    }
    return packet->size <= mtu && (packet->size || (parts & kRoceFirst));
}

static void complete_message(RoceQp* qp, const RocePacket* packet, unsigned parts,
                             uint32_t length) {
    RoceReceived received = {
        .status = IBV_WC_SUCCESS,
        .opcode = parts & kRoceSend ? IBV_WC_RECV : IBV_WC_RECV_RDMA_WITH_IMM,
        .length = length,
        .with_immediate = parts & kRoceImmediate,
        .with_invalidate = parts & kRoceInvalidate,
        .solicited = packet->solicited,
        .invalidated_rkey = packet->invalidate_rkey,
        .pkey = packet->pkey,
    };

    memcpy(received.immediate, packet->immediate, sizeof(received.immediate));
    complete_receive(qp, &received);
}

static void receive_send(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;
    enum ibv_wc_status status = IBV_WC_SUCCESS;

    if (!take_receive(qp, packet)) {
        return;
    }
    if (parts & kRoceFirst) {
        r->done = 0;
    }
    if (packet->size > UINT32_MAX - r->done || r->done + packet->size > r->receive.capacity) {
        local_error(qp, IBV_WC_LOC_LEN_ERR, kRoceNakInvalidRequest);
        return;
    }
    if (packet->size) {
        status = transport->ops->scatter_receive(transport->device, qp->owner, &r->receive, r->done,
                                                 packet->payload, packet->size);
    }
    if (status != IBV_WC_SUCCESS) {
        local_error(qp, status, kRoceNakRemoteOperation);
        return;
    }
    r->done += (uint32_t)packet->size;
    if ((parts & kRoceInvalidate) &&
        !transport->ops->remote_invalidate(transport->device, qp->owner, packet->invalidate_rkey)) {
        /* IBA 10.6.7.2.5 */
        roce_responder_refuse(qp, kRoceNakRemoteAccess, IBV_WC_LOC_ACCESS_ERR,
                              IBV_EVENT_QP_ACCESS_ERR);
        return;
    }
    if (parts & kRoceLast) {
        complete_message(qp, packet, parts, r->done);
    }
    accept(qp, packet, parts);
}

/* The first packet of a WRITE names the range.  False when the packet ends here. */
static bool begin_write(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;
    const bool only = parts & kRoceLast;

    if (!(qp->attributes.access & IBV_ACCESS_REMOTE_WRITE) ||
        (only ? packet->dma_length != packet->size : packet->dma_length <= packet->size) ||
        packet->dma_length > 1u << 31) {
        invalid(qp);
        return false;
    }
    r->target = roce_target_of(packet);
    if (packet->dma_length &&
        !transport->ops->remote_check(transport->device, qp->owner, &r->target, packet->dma_length,
                                      IBV_ACCESS_REMOTE_WRITE)) {
        no_access(qp);
        return false;
    }
    r->left = r->length = packet->dma_length;
    qp->transport->counters.writes++;
    return true;
}

static void receive_write(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    const RoceTransport* transport = qp->transport;
    RoceResponder* r = &qp->responder;

    if ((parts & kRoceFirst) && !begin_write(qp, packet, parts)) {
        return;
    }
    if (parts & kRoceLast ? packet->size != r->left : packet->size >= r->left) {
        invalid(qp);
        return;
    }
    if ((parts & kRoceImmediate) && !take_receive(qp, packet)) {
        return;
    }
    if (packet->size && !transport->ops->remote_write(transport->device, qp->owner, &r->target,
                                                      packet->payload, packet->size)) {
        no_access(qp);
        return;
    }
    r->target.address += packet->size;
    r->left -= (uint32_t)packet->size;
    if (parts & kRoceImmediate) {
        complete_message(qp, packet, parts, r->length);
    }
    accept(qp, packet, parts);
}

/* IBA 9.7.4.1.2, table 41: which opcode may follow. */
static bool in_order(const RoceResponder* r, unsigned parts) {
    switch (r->message) {
        case kRoceInSend:
            return (parts & kRoceSend) && !(parts & kRoceFirst);
        case kRoceInWrite:
            return (parts & kRoceWrite) && !(parts & kRoceFirst);
        default:
            return parts & kRoceFirst;
    }
}

static void execute(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    if (parts & (kRoceRead | kRoceAtomic)) {
        if (roce_answer_new(qp, packet) == kRoceRefused) {
            return;
        }
    } else if (!size_is_right(qp, packet, parts)) {
        invalid(qp);
    } else if (parts & kRoceSend) {
        receive_send(qp, packet, parts);
    } else {
        receive_write(qp, packet, parts);
    }
}

static void receive_reliable(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    RoceResponder* r = &qp->responder;
    const int32_t distance = roce_psn_distance(packet->psn, r->psn);

    if (distance < 0) {
        /* IBA 9.7.5.1.5: a duplicate is answered, and not executed again. */
        qp->transport->counters.duplicates++;
        if (parts & (kRoceRead | kRoceAtomic)) {
            roce_answer_again(qp, packet);
        } else if (!r->ack_due) {
            roce_responder_acknowledge(qp, r->psn - 1, kRoceSyndromeAck | kRoceNoCredits);
        }
        return;
    }
    if (distance > 0) {
        qp->transport->counters.out_of_sequence++;
        if (!r->refused) {
            r->refused = true;
            roce_responder_acknowledge(qp, r->psn, kRoceNakSequence);
        }
        return;
    }
    r->refused = false;
    if (!in_order(r, parts)) {
        invalid(qp);
        return;
    }
    execute(qp, packet, parts);
}

/* IBA 9.8.3: a gap ends the message, and the next one that begins is taken. */
static void receive_unreliable(RoceQp* qp, const RocePacket* packet, unsigned parts) {
    RoceResponder* r = &qp->responder;

    if (packet->psn != r->psn) {
        qp->transport->counters.out_of_sequence++;
        abandon(qp);
    }
    r->psn = (packet->psn + 1) & kRocePsnMask;
    if (parts & kRoceFirst) {
        r->message = kRoceBetween; /* whatever it was, it has no end */
    }
    if (in_order(r, parts)) {
        execute(qp, packet, parts);
    } else {
        abandon(qp);
    }
}

void roce_responder_receive(RoceQp* qp, const RocePacket* packet) {
    const unsigned parts = roce_opcode_parts(packet->opcode);

    if (qp->responder.closing) {
        return;
    }
    if (roce_is_reliable(qp)) {
        receive_reliable(qp, packet, parts);
    } else {
        receive_unreliable(qp, packet, parts);
    }
}
