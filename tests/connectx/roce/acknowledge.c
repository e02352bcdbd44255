/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* What the other side answers to requests (IBA 9.7.5.1.2 to 9.7.5.1.4, 9.7.5.2.8). */
#include "queue_pair.h"

/* IBA table 45, in units of 10 us. */
static const uint16_t rnr_timers[] = {
    65535, 1,    2,    3,    4,    6,     8,     12,    16,    24,    32,
    48,    64,   96,   128,  192,  256,   384,   512,   768,   1024,  1536,
    2048,  3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152,
};

static const uint64_t rnr_unit_ns = 10000;

/* Something was answered: the retries begin anew (IBA 9.7.5.1.3), and so does the timer. */
static void progress(RoceQp* qp) {
    RoceRequester* r = &qp->requester;

    r->retries = qp->attributes.retry_count;
    r->rnr_retries = qp->attributes.rnr_retry;
    r->went_back = false;
    r->waits_rnr = false;
    r->deadline = ROCE_NEVER;
    if (r->unacked != r->sent && qp->attributes.timeout) {
        roce_qp_set_deadline(qp, qp->transport->ops->now(qp->transport->device) +
                                     (UINT64_C(4096) << qp->attributes.timeout));
    }
    /* After going back, what need not be sent again. */
    if (r->cursor == 0 && r->count) {
        const RoceRequest* oldest = roce_requester_at(r, 0);
        const uint32_t answered = (r->unacked - oldest->first_psn) & kRocePsnMask;

        if (oldest->packets && answered <= oldest->packets) {
            r->cursor_packet = MAX(r->cursor_packet, answered);
        }
    }
    roce_qp_schedule(qp);
}

/* A response is missing.  Once for each time that something is answered: what follows on the wire
 * says the same (IBA 9.7.5.1.4, implied NAK). */
static void lost(RoceQp* qp, uint64_t* counter) {
    RoceRequester* r = &qp->requester;

    /* What was acknowledged may have ended the queue pair: a request that could not be sent was
     * behind it. */
    if (r->count == 0 || r->went_back || r->waits_rnr) {
        return;
    }
    ++*counter;
    if (r->retries == 0) {
        roce_requester_fail(qp, IBV_WC_RETRY_EXC_ERR);
        return;
    }
    r->retries--;
    qp->transport->counters.retries++;
    roce_requester_go_back(qp);
}

/* Everything before `end` has arrived.  False when this says that a response was lost. */
static bool acknowledge(RoceQp* qp, uint32_t end) {
    RoceRequester* r = &qp->requester;
    bool moved = false;

    while (r->count && roce_psn_distance(end, r->unacked) > 0) {
        const RoceRequest* oldest = roce_requester_at(r, 0);
        const uint32_t behind = (oldest->first_psn + oldest->packets) & kRocePsnMask;

        if (oldest->packets == 0 || roce_wants_response(oldest)) {
            break;
        }
        moved = true;
        if (roce_psn_distance(end, behind) < 0) {
            r->unacked = end;
            break;
        }
        r->unacked = behind;
        roce_requester_pop(qp, IBV_WC_SUCCESS, oldest->send.length);
        roce_requester_settle(qp);
    }
    if (moved && qp->state != IBV_QPS_ERR) {
        progress(qp);
    }
    return roce_psn_distance(end, r->unacked) <= 0;
}

static void not_ready(RoceQp* qp, uint8_t timer) {
    RoceRequester* r = &qp->requester;
    const RoceTransport* transport = qp->transport;

    if (r->waits_rnr) {
        return;
    }
    if (r->rnr_retries == 0) {
        qp->transport->counters.rnr_exceeded++;
        roce_requester_fail(qp, IBV_WC_RNR_RETRY_EXC_ERR);
        return;
    }
    if (qp->attributes.rnr_retry != 7) {
        r->rnr_retries--;
    }
    qp->transport->counters.rnr_waits++;
    r->waits_rnr = true;
    roce_qp_set_deadline(qp,
                         transport->ops->now(transport->device) + rnr_timers[timer] * rnr_unit_ns);
}

static void refused(RoceQp* qp, uint8_t syndrome) {
    switch (syndrome) {
        case kRoceNakSequence:
            lost(qp, &qp->transport->counters.sequence_naks);
            break;
        case kRoceNakInvalidRequest:
            roce_requester_fail(qp, IBV_WC_REM_INV_REQ_ERR);
            break;
        case kRoceNakRemoteAccess:
            roce_requester_fail(qp, IBV_WC_REM_ACCESS_ERR);
            break;
        case kRoceNakRemoteOperation:
            roce_requester_fail(qp, IBV_WC_REM_OP_ERR);
            break;
        default:
            break; /* reserved */
    }
}

static void receive_acknowledge(RoceQp* qp, const RocePacket* packet) {
    const uint8_t kind = packet->syndrome & kRoceSyndromeKind;
    RoceRequester* r = &qp->requester;

    if (packet->syndrome & 0x80) {
        return; /* reserved */
    }
    if (kind == kRoceSyndromeAck) {
        if (!acknowledge(qp, (packet->psn + 1) & kRocePsnMask)) {
            lost(qp, &qp->transport->counters.implied_naks);
        }
        return;
    }
    /* What comes before the refused packet has arrived. */
    if (!acknowledge(qp, packet->psn)) {
        lost(qp, &qp->transport->counters.implied_naks);
        return;
    }
    if (!r->count || r->unacked != packet->psn || qp->state == IBV_QPS_ERR) {
        return;
    }
    if (kind == kRoceSyndromeRnr) {
        not_ready(qp, packet->syndrome & kRoceSyndromeValue);
    } else if (kind == kRoceSyndromeNak) {
        refused(qp, packet->syndrome);
    }
}

/* Puts a READ's or an atomic's data where it belongs.  The PSN is the one that is due. */
static void take_response(RoceQp* qp, const RocePacket* packet, const RoceRequest* request) {
    const RoceTransport* transport = qp->transport;
    RoceRequester* r = &qp->requester;
    const unsigned parts = roce_opcode_parts(packet->opcode);
    const uint32_t number = (packet->psn - request->first_psn) & kRocePsnMask;
    const uint32_t offset = number * qp->attributes.mtu;
    const bool last = number + 1 == request->packets;
    const bool atomic = request->send.opcode != IBV_WR_RDMA_READ;
    const uint8_t* data = atomic ? (const uint8_t*)&packet->original : packet->payload;
    const size_t size = MIN(request->send.length - offset, qp->attributes.mtu);
    enum ibv_wc_status status = IBV_WC_SUCCESS;

    /* IBA 9.7.5.1.2: anything else is no answer to this request. */
    if (atomic != !(parts & kRoceReadResponse) ||
        (!atomic && (last != !!(parts & kRoceLast) || packet->size != size))) {
        roce_requester_fail(qp, IBV_WC_BAD_RESP_ERR);
        return;
    }
    if (size) {
        status = transport->ops->scatter_response(transport->device, qp->owner, &request->send,
                                                  offset, data, size);
    }
    if (status != IBV_WC_SUCCESS) {
        roce_requester_fail(qp, status);
        return;
    }
    r->unacked = (packet->psn + 1) & kRocePsnMask;
    if (last) {
        roce_requester_pop(qp, IBV_WC_SUCCESS, request->send.length);
        roce_requester_settle(qp);
    }
    if (qp->state != IBV_QPS_ERR) {
        progress(qp);
    }
}

void roce_requester_receive(RoceQp* qp, const RocePacket* packet) {
    const unsigned parts = roce_opcode_parts(packet->opcode);
    RoceRequester* r = &qp->requester;

    /* What is not outstanding is a ghost, or was answered already (IBA 9.7.5.1.1). */
    if (!r->count || roce_psn_distance(packet->psn, r->unacked) < 0 ||
        roce_psn_distance(packet->psn, r->sent) >= 0) {
        qp->transport->counters.dropped++;
        return;
    }
    if (!(parts & (kRoceReadResponse | kRoceAtomicacketh))) {
        receive_acknowledge(qp, packet);
        return;
    }
    if (!acknowledge(qp, packet->psn)) {
        lost(qp, &qp->transport->counters.implied_naks);
        return;
    }
    if (r->count && qp->state != IBV_QPS_ERR && r->unacked == packet->psn &&
        roce_wants_response(roce_requester_at(r, 0))) {
        take_response(qp, packet, roce_requester_at(r, 0));
    }
}
