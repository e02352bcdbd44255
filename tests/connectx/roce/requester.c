/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Requests of a connected queue pair: from its send queue into packets (IBA 9.7.3, 9.8.2). */
#include "queue_pair.h"

static const uint32_t max_message = 1u << 31; /* IBA 9.7.7 */

RoceRequest* roce_requester_at(RoceRequester* requester, unsigned index) {
    return &requester->ring[(requester->head + index) % kRoceSends];
}

bool roce_wants_response(const RoceRequest* request) {
    return !request->send.local && (request->send.opcode == IBV_WR_RDMA_READ ||
                                    request->send.opcode == IBV_WR_ATOMIC_CMP_AND_SWP ||
                                    request->send.opcode == IBV_WR_ATOMIC_FETCH_AND_ADD);
}

static bool is_atomic(const RoceSend* send) {
    return send->opcode == IBV_WR_ATOMIC_CMP_AND_SWP || send->opcode == IBV_WR_ATOMIC_FETCH_AND_ADD;
}

static bool is_write(const RoceSend* send) {
    return send->opcode == IBV_WR_RDMA_WRITE || send->opcode == IBV_WR_RDMA_WRITE_WITH_IMM;
}

void roce_requester_start(RoceQp* qp) {
    RoceRequester* r = &qp->requester;

    memset(r, 0, sizeof(*r));
    r->psn = r->unacked = r->sent = qp->attributes.send_psn;
    r->retries = qp->attributes.retry_count;
    r->rnr_retries = qp->attributes.rnr_retry;
    r->deadline = ROCE_NEVER;
}

void roce_requester_flush(RoceQp* qp, bool drop) {
    const RoceTransport* transport = qp->transport;
    RoceRequester* r = &qp->requester;

    for (; r->count; r->count--) {
        const RoceSend* send = &roce_requester_at(r, 0)->send;

        r->head = (r->head + 1) % kRoceSends;
        if (drop) {
            transport->ops->drop_send(transport->device, qp->owner, send);
        } else {
            transport->ops->complete_send(transport->device, qp->owner, send, IBV_WC_WR_FLUSH_ERR,
                                          0);
        }
    }
    r->cursor = 0;
    r->cursor_packet = 0;
    r->reads = 0;
    r->waits_rnr = false;
    r->deadline = ROCE_NEVER;
}

void roce_requester_pop(RoceQp* qp, enum ibv_wc_status status, uint32_t length) {
    const RoceTransport* transport = qp->transport;
    RoceRequester* r = &qp->requester;
    const RoceRequest* request = roce_requester_at(r, 0);
    const RoceSend send = request->send;

    if (r->cursor) {
        r->cursor--;
        r->reads -= roce_wants_response(request);
    } else {
        r->cursor_packet = 0;
    }
    r->head = (r->head + 1) % kRoceSends;
    r->count--;
    transport->ops->complete_send(transport->device, qp->owner, &send, status, length);
}

/* IBA 10.8.5.2: an error of a reliable service is one of the queue pair; UC's other half goes on.
 */
void roce_requester_fail(RoceQp* qp, enum ibv_wc_status status) {
    const RoceTransport* transport = qp->transport;

    roce_requester_pop(qp, status, 0);
    if (roce_is_reliable(qp)) {
        roce_qp_error(qp);
        return;
    }
    qp->state = IBV_QPS_SQE;
    roce_requester_flush(qp, false);
    transport->ops->moved(transport->device, qp->owner, IBV_QPS_SQE);
}

void roce_requester_settle(RoceQp* qp) {
    RoceRequester* r = &qp->requester;

    while (r->count) {
        const RoceRequest* request = roce_requester_at(r, 0);

        if (request->failed != IBV_WC_SUCCESS) {
            roce_requester_fail(qp, request->failed);
            return;
        }
        if (!request->executed) {
            return;
        }
        roce_requester_pop(qp, IBV_WC_SUCCESS, 0);
    }
    if (qp->state == IBV_QPS_SQD && !r->drained) {
        r->drained = true;
        roce_qp_event(qp, IBV_EVENT_SQ_DRAINED);
    }
}

void roce_requester_go_back(RoceQp* qp) {
    RoceRequester* r = &qp->requester;
    const RoceRequest* oldest = roce_requester_at(r, 0);

    r->cursor = 0;
    r->cursor_packet = 0;
    r->reads = 0;
    r->went_back = true;
    if (r->count && oldest->packets) {
        r->cursor_packet = (r->unacked - oldest->first_psn) & kRocePsnMask;
    }
    roce_qp_schedule(qp);
}

void roce_requester_expire(RoceQp* qp) {
    RoceRequester* r = &qp->requester;
    RoceCounters* counters = &qp->transport->counters;

    if (r->waits_rnr) {
        r->waits_rnr = false;
        roce_requester_go_back(qp);
        return;
    }
    if (r->count == 0 || r->unacked == r->sent) {
        return;
    }
    counters->timeouts++;
    if (r->retries == 0) {
        roce_requester_fail(qp, IBV_WC_RETRY_EXC_ERR);
        return;
    }
    r->retries--;
    counters->retries++;
    roce_requester_go_back(qp);
}

/* Whether the service has the operation (IBA table 37), and what it says can be. */
static enum ibv_wc_status check(const RoceQp* qp, const RoceSend* send) {
    switch (send->opcode) {
        case IBV_WR_SEND:
        case IBV_WR_SEND_WITH_IMM:
        case IBV_WR_RDMA_WRITE:
        case IBV_WR_RDMA_WRITE_WITH_IMM:
            break;
        case IBV_WR_SEND_WITH_INV:
            if (!roce_is_reliable(qp)) {
                return IBV_WC_LOC_QP_OP_ERR;
            }
            break;
        case IBV_WR_RDMA_READ:
        case IBV_WR_ATOMIC_CMP_AND_SWP:
        case IBV_WR_ATOMIC_FETCH_AND_ADD:
            if (!roce_is_reliable(qp) || qp->attributes.max_reads == 0) {
                return IBV_WC_LOC_QP_OP_ERR;
            }
            break;
        default:
            return IBV_WC_LOC_QP_OP_ERR;
    }
    return !is_atomic(send) && send->length > max_message ? IBV_WC_LOC_LEN_ERR : IBV_WC_SUCCESS;
}

/* Takes the next request.  False: there is none, or no place for it. */
static bool take(RoceQp* qp) {
    const RoceTransport* transport = qp->transport;
    RoceRequester* r = &qp->requester;
    RoceRequest* request = roce_requester_at(r, r->count);

    if (r->count == kRoceSends || qp->state != IBV_QPS_RTS) {
        return false;
    }
    memset(request, 0, sizeof(*request));
    if (!transport->ops->next_send(transport->device, qp->owner, &request->send)) {
        return false;
    }
    r->count++;
    request->first_psn = r->psn;
    if (request->send.local) {
        return true;
    }
    request->failed = check(qp, &request->send);
    if (request->failed != IBV_WC_SUCCESS) {
        return true;
    }
    if (is_atomic(&request->send)) {
        request->send.length = sizeof(uint64_t);
    }
    request->packets =
        request->send.length == 0 ? 1 : (request->send.length - 1) / qp->attributes.mtu + 1;
    if (request->packets > kRocePsnMask / 2) {
        /* A READ of 2^31 bytes in packets of 256: more than a queue pair may have outstanding. */
        request->packets = 0;
        request->failed = IBV_WC_LOC_LEN_ERR;
        return true;
    }
    r->psn = (r->psn + request->packets) & kRocePsnMask;
    return true;
}

/* The operation's bits for packet `number` of a SEND or WRITE. */
static uint8_t message_opcode(const RoceRequest* request, uint32_t number) {
    const bool first = number == 0, last = number + 1 == request->packets;
    const bool with_imm = request->send.opcode == IBV_WR_SEND_WITH_IMM ||
                          request->send.opcode == IBV_WR_RDMA_WRITE_WITH_IMM;

    if (is_write(&request->send)) {
        if (!last) {
            return first ? IBV_OPCODE_RDMA_WRITE_FIRST : IBV_OPCODE_RDMA_WRITE_MIDDLE;
        }
        if (first) {
            return with_imm ? IBV_OPCODE_RDMA_WRITE_ONLY_WITH_IMMEDIATE
                            : IBV_OPCODE_RDMA_WRITE_ONLY;
        }
        return with_imm ? IBV_OPCODE_RDMA_WRITE_LAST_WITH_IMMEDIATE : IBV_OPCODE_RDMA_WRITE_LAST;
    }
    if (!last) {
        return first ? IBV_OPCODE_SEND_FIRST : IBV_OPCODE_SEND_MIDDLE;
    }
    if (request->send.opcode == IBV_WR_SEND_WITH_INV) {
        return first ? kRoceSendOnlyWithInvalidate : kRoceSendLastWithInvalidate;
    }
    if (first) {
        return with_imm ? IBV_OPCODE_SEND_ONLY_WITH_IMMEDIATE : IBV_OPCODE_SEND_ONLY;
    }
    return with_imm ? IBV_OPCODE_SEND_LAST_WITH_IMMEDIATE : IBV_OPCODE_SEND_LAST;
}

/* Sends the next packet of a SEND or WRITE.  False when its data cannot be read. */
static bool send_data(RoceQp* qp, RoceRequest* request) {
    RoceTransport* transport = qp->transport;
    RoceRequester* r = &qp->requester;
    const RoceSend* send = &request->send;
    const uint32_t number = r->cursor_packet, offset = number * qp->attributes.mtu;
    const bool last = number + 1 == request->packets;
    RocePacket packet = {
        .opcode = message_opcode(request, number),
        .solicited = last && send->solicited,
        .psn = (request->first_psn + number) & kRocePsnMask,
        .remote_address = send->remote_address,
        .rkey = send->rkey,
        .dma_length = send->length,
        .invalidate_rkey = send->invalidate_rkey,
        .srq_number = send->srq_number,
        .size = MIN(send->length - offset, qp->attributes.mtu),
    };

    packet.ack_request =
        roce_is_reliable(qp) && (last || packet.psn % kRoceAckEvery == kRoceAckEvery - 1);
    memcpy(packet.immediate, send->immediate, sizeof(packet.immediate));
    if (packet.size) {
        const size_t at = roce_headers_size(packet.opcode | roce_qp_service(qp));

        request->failed = transport->ops->gather(transport->device, qp->owner, send, offset,
                                                 transport->packet + at, packet.size);
        if (request->failed != IBV_WC_SUCCESS) {
            return false;
        }
    }
    roce_send_connected(qp, &packet);
    r->cursor_packet++;
    return true;
}

/* Asks for a READ's data that has not come yet, or for an atomic. */
static void send_request(RoceQp* qp, const RoceRequest* request) {
    RoceRequester* r = &qp->requester;
    const RoceSend* send = &request->send;
    const uint32_t offset = r->cursor_packet * qp->attributes.mtu;
    RocePacket packet = {
        .psn = (request->first_psn + r->cursor_packet) & kRocePsnMask,
        .ack_request = true,
        .remote_address = send->remote_address,
        .rkey = send->rkey,
        .srq_number = send->srq_number,
    };

    switch (send->opcode) {
        case IBV_WR_RDMA_READ:
            packet.opcode = IBV_OPCODE_RDMA_READ_REQUEST;
            packet.remote_address += offset;
            packet.dma_length = send->length - offset;
            break;
        case IBV_WR_ATOMIC_CMP_AND_SWP:
            packet.opcode = IBV_OPCODE_COMPARE_SWAP;
            packet.swap_add = send->swap;
            packet.compare = send->compare_add;
            break;
        default:
            packet.opcode = IBV_OPCODE_FETCH_ADD;
            packet.swap_add = send->compare_add;
            break;
    }
    roce_send_connected(qp, &packet);
    r->cursor_packet = request->packets;
    r->reads++;
}

static void start_timer(RoceQp* qp) {
    RoceRequester* r = &qp->requester;
    const RoceTransport* transport = qp->transport;

    /* IBA 9.7.6.1.3: 4.096 us * 2^timeout; 0 is no timer. */
    if (roce_is_reliable(qp) && r->deadline == ROCE_NEVER && qp->attributes.timeout) {
        roce_qp_set_deadline(qp, transport->ops->now(transport->device) +
                                     (UINT64_C(4096) << qp->attributes.timeout));
    }
}

/* Whether what is outstanding lets the request's next packet go. */
static bool may_send(const RoceQp* qp, const RoceRequest* request) {
    const RoceRequester* r = &qp->requester;

    if (!roce_is_reliable(qp)) {
        return true;
    }
    if (request->send.fence && r->reads) {
        return false;
    }
    if (roce_wants_response(request)) {
        const uint32_t end = request->first_psn + request->packets;

        return r->reads < qp->attributes.max_reads &&
               ((end - r->unacked) & kRocePsnMask) <= kRocePsnMask / 2;
    }
    return ((request->first_psn + r->cursor_packet - r->unacked) & kRocePsnMask) < kRoceWindow;
}

/* Goes on to the next request. */
static void sent_whole(RoceQp* qp, const RoceRequest* request) {
    RoceRequester* r = &qp->requester;

    r->cursor++;
    r->cursor_packet = 0;
    if (!roce_is_reliable(qp) && !request->send.local) {
        r->unacked = r->sent;
        roce_requester_pop(qp, IBV_WC_SUCCESS, request->send.length);
    }
}

static void run_local(RoceQp* qp, RoceRequest* request) {
    const RoceTransport* transport = qp->transport;
    enum ibv_wc_status status;

    if (!request->executed) {
        status = transport->ops->run_local(transport->device, qp->owner, &request->send);
        request->failed = status;
        request->executed = status == IBV_WC_SUCCESS;
    }
}

unsigned roce_requester_run(RoceQp* qp, unsigned budget) {
    RoceRequester* r = &qp->requester;

    while (budget && roce_ready(qp->transport) && !r->waits_rnr &&
           (qp->state == IBV_QPS_RTS || qp->state == IBV_QPS_SQD)) {
        RoceRequest* request;

        if (r->cursor == r->count && !take(qp)) {
            roce_requester_settle(qp);
            break;
        }
        request = roce_requester_at(r, r->cursor);
        if (request->failed == IBV_WC_SUCCESS && !may_send(qp, request)) {
            break;
        }
        budget--;
        if (request->failed == IBV_WC_SUCCESS && request->send.local) {
            run_local(qp, request);
        } else if (request->failed == IBV_WC_SUCCESS && roce_wants_response(request)) {
            send_request(qp, request);
        } else if (request->failed == IBV_WC_SUCCESS) {
            send_data(qp, request);
        }
        if (request->failed != IBV_WC_SUCCESS) {
            /* What is before it is answered first. */
            roce_requester_settle(qp);
            break;
        }
        if (!request->send.local) {
            const uint32_t next = (request->first_psn + r->cursor_packet) & kRocePsnMask;

            if (roce_psn_distance(next, r->sent) > 0) {
                r->sent = next;
            }
            start_timer(qp);
        }
        if (request->send.local || r->cursor_packet == request->packets) {
            sent_whole(qp, request);
            roce_requester_settle(qp);
        }
    }
    return budget;
}
