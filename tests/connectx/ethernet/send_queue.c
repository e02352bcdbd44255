// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/send_queue.h"

#include "connectx/log.h"
#include "connectx/objects/cq.h"
#include "connectx/transport/requester.h"

enum { kFrames = 0x100, kSqReset = 0, kSqReady = 1, kSqFailed = 3 };

void send_queue_run(Connectx* nic, Qp* queue) {
    Request request;

    // What the driver posts meanwhile has a doorbell of its own.
    for (unsigned left = 1u << queue->sq_log;
         left > 0 && queue->state == kRts && requester_take(nic, queue, &request); left--) {
        if (request.refused) {
            queue->state = kError;
            return;
        }
        requester_complete(nic, queue, &request, kSuccess, 0);
    }
}

Status send_queue_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_sq_in, command->in, ctx);
    const uint8_t* ring = IFC_AT(sqc, context, wq);
    const size_t list = (size_t)(IFC_AT(wq, ring, pas) - command->in);
    Qp* queue = g_new0(Qp, 1);

    queue->type = kFrames;
    queue->frames = true;
    queue->frames_cq = IFC_GET(sqc, context, cqn);
    queue->has_sq = true;
    queue->rq_type = kNoRq;
    queue->sq_log = IFC_GET(wq, ring, log_wq_sz);
    queue->doorbell_record = IFC_GET(wq, ring, dbr_addr);
    queue->uar = IFC_GET(wq, ring, uar_page);
    queue->state = kRst;
    buffer_init(&queue->buffer, command->in + list, command_rest(command, list),
                IFC_GET(wq, ring, log_wq_pg_sz), IFC_GET(wq, ring, page_offset));
    if (queue->sq_log > 15 || !buffer_holds(&queue->buffer, (uint64_t)kBurst << queue->sq_log) ||
        !cq_use(nic, queue->frames_cq)) {
        log_violation(nic, "SQ of 2^%u, CQ %#x, %u pages", queue->sq_log, queue->frames_cq,
                      queue->buffer.count);
        qp_free(queue);
        return kBadParameter;
    }
    queue->number = ++nic->objects.next_qp;
    add_object(nic->objects.qps, queue->number, queue);
    command_answer_object(command, queue->number);
    log_say(nic, "      SQ %#x: 2^%u, CQ %#x", queue->number, queue->sq_log, queue->frames_cq);
    return kOk;
}

static Qp* find(Connectx* nic, const Command* command) {
    Qp* queue = qp_of_command(nic, command);

    return queue && queue->frames ? queue : NULL;
}

Status send_queue_modify(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(modify_sq_in, command->in, ctx);
    Qp* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    switch (IFC_GET(sqc, context, state)) {
        case kSqReset:
            queue->state = kRst;
            queue->sq_taken = queue->sq_consumer = 0;
            break;
        case kSqReady:
            queue->state = kRts;
            send_queue_run(nic, queue);
            break;
        case kSqFailed:
            queue->state = kError;
            break;
        default:
            return kBadParameter;
    }
    return kOk;
}

Status send_queue_destroy(Connectx* nic, Command* command) {
    const Qp* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    cq_unuse(nic, queue->frames_cq);
    g_hash_table_remove(nic->objects.qps, GUINT_TO_POINTER(queue->number));
    return kOk;
}
