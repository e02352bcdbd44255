// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/send_queue.h"

#include "connectx/ethernet/send_frames.h"
#include "connectx/log.h"
#include "connectx/network.h"
#include "connectx/objects/cq.h"
#include "connectx/transport/requester.h"
#include "qemu/main-loop.h"

enum {
    kFrames = 0x100,
    kSqReset = 0,
    kSqReady = 1,
    kSqFailed = 3,
    kSlice = 64,  // requests in one go: meanwhile nothing else of QEMU runs
};

void send_queue_run(Connectx* nic, Qp* queue) {
    g_autofree Request* request = g_new(Request, 1);

    for (int left = kSlice; queue->state == kRts && requester_has(nic, queue); left--) {
        // The network says when it takes frames again.
        if (!network_ready(nic)) {
            return;
        }
        if (left == 0) {
            qemu_bh_schedule(nic->send_frames);
            return;
        }
        requester_take(nic, queue, request);
        if (request->refused || (request->opcode != kNop && !send_frames(nic, queue, request))) {
            queue->state = kError;
            return;
        }
        requester_complete(nic, queue, request, kSuccess, 0);
    }
}

void send_queues_run(void* opaque) {
    Connectx* nic = opaque;
    GHashTableIter each;
    Qp* queue;

    nic->busy = true;
    g_hash_table_iter_init(&each, nic->objects.qps);
    while (g_hash_table_iter_next(&each, NULL, (void**)&queue)) {
        if (queue->frames) {
            send_queue_run(nic, queue);
        }
    }
    nic->busy = false;
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
    queue->pd = IFC_GET(wq, ring, pd);
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

Status send_queue_query(Connectx* nic, Command* command) {
    uint8_t* context = IFC_AT(query_sq_out, command->out, sq_context);
    const Qp* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    IFC_SET(sqc, context, cqn, queue->frames_cq);
    IFC_SET(sqc, context, state,
            queue->state == kRst   ? kSqReset
            : queue->state == kRts ? kSqReady
                                   : kSqFailed);
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
