/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * What a responder sends: the data of READs, the results of atomics, acknowledgements.
 *
 * The last READs and atomics are kept, as many as the other side may have outstanding: one that
 * comes again is answered again, an atomic with the result that it had (IBA 9.7.5.1.5, 9.4.5).
 * Answers go out in the order of their PSNs.  The acknowledgement comes after all of them: it is of
 * a packet that came later, or it says what an answer has said.
 */
#include "queue_pair.h"

static RoceAnswer* answer_at(RoceResponder* r, unsigned index) {
    return &r->answers[(r->oldest + index) % kRoceMaxReads];
}

bool roce_answers_pending(const RoceQp* qp) {
    const RoceResponder* r = &qp->responder;

    for (unsigned i = 0; i < r->answers_count; i++) {
        const RoceAnswer* answer = &r->answers[(r->oldest + i) % kRoceMaxReads];

        if (answer->next != answer->end) {
            return true;
        }
    }
    return false;
}

/* Checks a READ and says how many packets its data has. */
static bool check_read(RoceQp* qp, const RocePacket* packet, uint32_t* packets) {
    const RoceTransport* transport = qp->transport;
    const RoceTarget target = roce_target_of(packet);
    const uint32_t length = packet->dma_length;

    *packets = length == 0 ? 1 : (length - 1) / qp->attributes.mtu + 1;
    if (!(qp->attributes.access & IBV_ACCESS_REMOTE_READ) || length > 1u << 31 || packet->size ||
        *packets > kRocePsnMask / 2) {
        roce_responder_refuse(qp, kRoceNakInvalidRequest, IBV_WC_WR_FLUSH_ERR,
                              IBV_EVENT_QP_REQ_ERR);
        return false;
    }
    if (length && !transport->ops->remote_check(transport->device, qp->owner, &target, length,
                                                IBV_ACCESS_REMOTE_READ)) {
        roce_responder_refuse(qp, kRoceNakRemoteAccess, IBV_WC_WR_FLUSH_ERR,
                              IBV_EVENT_QP_ACCESS_ERR);
        return false;
    }
    return true;
}

static bool check_atomic(RoceQp* qp, const RocePacket* packet) {
    /* IBA 9.4.5.1: naturally aligned. */
    if ((qp->attributes.access & IBV_ACCESS_REMOTE_ATOMIC) && packet->remote_address % 8 == 0 &&
        packet->size == 0) {
        return true;
    }
    roce_responder_refuse(qp, kRoceNakInvalidRequest, IBV_WC_WR_FLUSH_ERR, IBV_EVENT_QP_REQ_ERR);
    return false;
}

/* Executes an atomic when its turn to be answered comes: after the READs before it (IBA table 79,
 * ordering of work requests), and once. */
static bool execute_atomic(RoceQp* qp, RoceAnswer* answer) {
    const RoceTransport* transport = qp->transport;

    if (!answer->executed) {
        answer->executed = transport->ops->remote_atomic(
            transport->device, qp->owner, &answer->target, answer->operation, answer->compare_add,
            answer->swap, &answer->original);
    }
    return answer->executed;
}

RoceVerdict roce_answer_new(RoceQp* qp, const RocePacket* packet) {
    RoceResponder* r = &qp->responder;
    const bool atomic = roce_opcode_parts(packet->opcode) & kRoceAtomic;
    const bool swap = (packet->opcode & kRoceOperationMask) == IBV_OPCODE_COMPARE_SWAP;
    RoceAnswer answer = {
        .first_psn = packet->psn,
        .packets = 1,
        .atomic = atomic,
        .target = roce_target_of(packet),
        .length = packet->dma_length,
        .operation = swap ? IBV_WR_ATOMIC_CMP_AND_SWP : IBV_WR_ATOMIC_FETCH_AND_ADD,
        .compare_add = swap ? packet->compare : packet->swap_add,
        .swap = packet->swap_add,
    };

    if (qp->attributes.max_reads_served == 0 ||
        (r->answers_count == qp->attributes.max_reads_served && !answer_at(r, 0)->answered)) {
        /* IBA 9.7.5.2.2: more than it was told that it may have.  An old one that a late copy has
         * made due again does not count. */
        roce_responder_refuse(qp, kRoceNakInvalidRequest, IBV_WC_WR_FLUSH_ERR,
                              IBV_EVENT_QP_REQ_ERR);
        return kRoceRefused;
    }
    if (atomic ? !check_atomic(qp, packet) : !check_read(qp, packet, &answer.packets)) {
        return kRoceRefused;
    }
    answer.end = answer.packets;
    r->psn = (packet->psn + answer.packets) & kRocePsnMask;
    r->msn = (r->msn + 1) & kRocePsnMask;
    answer.msn = r->msn;
    if (r->answers_count == qp->attributes.max_reads_served) {
        r->oldest = (r->oldest + 1) % kRoceMaxReads;
        r->answers_count--;
    }
    *answer_at(r, r->answers_count++) = answer;
    if (atomic) {
        qp->transport->counters.atomics++;
    } else {
        qp->transport->counters.reads++;
    }
    roce_qp_schedule(qp);
    return kRoceGood;
}

void roce_answer_again(RoceQp* qp, const RocePacket* packet) {
    RoceResponder* r = &qp->responder;
    const bool atomic = roce_opcode_parts(packet->opcode) & kRoceAtomic;

    for (unsigned i = 0; i < r->answers_count; i++) {
        RoceAnswer* answer = answer_at(r, i);
        const uint32_t number = (packet->psn - answer->first_psn) & kRocePsnMask;
        const uint64_t offset = (uint64_t)number * qp->attributes.mtu;

        if (number >= answer->packets || answer->atomic != atomic) {
            continue;
        }
        /* The rest of the READ, or less: the same bytes as the first time. */
        if (!atomic && (packet->rkey != answer->target.rkey ||
                        packet->remote_address != answer->target.address + offset ||
                        packet->dma_length > answer->length - offset)) {
            return;
        }
        answer->begin = answer->next = number;
        answer->end = answer->packets;
        if (!atomic) {
            answer->end =
                number +
                (packet->dma_length == 0 ? 1 : (packet->dma_length - 1) / qp->attributes.mtu + 1);
        }
        roce_qp_schedule(qp);
        return;
    }
    qp->transport->counters.dropped++;
}

/* A key does not give what it did when the request came, or the right to an atomic. */
static void stop_answering(RoceQp* qp, uint32_t psn) {
    RoceResponder* r = &qp->responder;

    r->answers_count = 0;
    roce_responder_refuse(qp, kRoceNakRemoteAccess, IBV_WC_WR_FLUSH_ERR, IBV_EVENT_QP_ACCESS_ERR);
    r->ack_psn = psn;
}

/* A READ that was asked for again from its middle has its first packet there. */
static uint8_t read_opcode(const RoceAnswer* answer) {
    const bool first = answer->next == answer->begin, last = answer->next + 1 == answer->end;

    if (first) {
        return last ? IBV_OPCODE_RDMA_READ_RESPONSE_ONLY : IBV_OPCODE_RDMA_READ_RESPONSE_FIRST;
    }
    return last ? IBV_OPCODE_RDMA_READ_RESPONSE_LAST : IBV_OPCODE_RDMA_READ_RESPONSE_MIDDLE;
}

/* Sends one packet of an answer.  False when the queue pair has nothing more to say. */
static bool send_answer(RoceQp* qp, RoceAnswer* answer) {
    RoceTransport* transport = qp->transport;
    RocePacket packet = {
        .psn = (answer->first_psn + answer->next) & kRocePsnMask,
        .syndrome = kRoceSyndromeAck | kRoceNoCredits,
        .msn = answer->msn,
    };

    if (answer->atomic) {
        if (!execute_atomic(qp, answer)) {
            stop_answering(qp, packet.psn);
            return false;
        }
        packet.opcode = IBV_OPCODE_ATOMIC_ACKNOWLEDGE;
        packet.original = answer->original;
    } else {
        const uint32_t offset = answer->next * qp->attributes.mtu;
        RoceTarget target = answer->target;
        size_t at;

        packet.opcode = read_opcode(answer);
        packet.size = MIN(answer->length - offset, qp->attributes.mtu);
        at = roce_headers_size(packet.opcode | roce_qp_service(qp));
        target.address += offset;
        if (packet.size && !transport->ops->remote_read(transport->device, qp->owner, &target,
                                                        transport->packet + at, packet.size)) {
            stop_answering(qp, packet.psn);
            return false;
        }
    }
    roce_send_connected(qp, &packet);
    answer->next++;
    answer->answered |= answer->next == answer->end;
    return true;
}

static void send_acknowledge(RoceQp* qp) {
    RoceResponder* r = &qp->responder;
    RocePacket packet = {
        .opcode = IBV_OPCODE_ACKNOWLEDGE,
        .psn = r->ack_psn,
        .syndrome = r->syndrome,
        .msn = r->msn,
    };

    r->ack_due = false;
    roce_send_connected(qp, &packet);
    if (r->closing) {
        roce_qp_error(qp);
    }
}

unsigned roce_answers_run(RoceQp* qp, unsigned budget) {
    RoceResponder* r = &qp->responder;

    for (unsigned i = 0; i < r->answers_count && qp->state != IBV_QPS_ERR; i++) {
        RoceAnswer* answer = answer_at(r, i);

        while (answer->next != answer->end) {
            if (!budget || !roce_ready(qp->transport)) {
                return 0;
            }
            budget--;
            if (!send_answer(qp, answer)) {
                break;
            }
        }
    }
    if (r->ack_due && qp->state != IBV_QPS_ERR) {
        if (!budget) {
            return 0;
        }
        budget--;
        send_acknowledge(qp);
    }
    return budget;
}
