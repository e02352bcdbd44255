// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/objects/srq.h"

#include "connectx/fields.h"
#include "connectx/log.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/pd.h"

enum {
    kNextIndex = 2,  // where an element names the one after it (struct mlx5_wqe_srq_next_seg)
    kReady = 1,      // state of an RMP
};

static const Field kQueueFields[] = {
    KNOWN(wq, wq_type),
    KNOWN(wq, end_padding_mode),
    KNOWN(wq, page_offset),
    KNOWN(wq, lwm),
    KNOWN(wq, pd),
    KNOWN(wq, dbr_addr),
    KNOWN(wq, log_wq_stride),
    KNOWN(wq, log_wq_pg_sz),
    KNOWN(wq, log_wq_sz),
};

void srq_free(void* srq) {
    buffer_free(&((Srq*)srq)->buffer);
    g_free(srq);
}

bool srq_take(Connectx* nic, Srq* srq, uint16_t* index, uint8_t* request, size_t size) {
    const size_t stride = (size_t)1 << srq->log_stride;
    uint16_t left;

    if (!srq->doorbell_record) {
        return false;
    }
    left = (uint16_t)dma_be32(nic, srq->doorbell_record) - srq->taken;
    if (left == 0) {
        return false;
    }
    if (left > 1u << srq->log_size || srq->next >= 1u << srq->log_size) {
        log_violation(nic, "SRQ %#x: %u requests are posted, the next is %u, of 2^%u", srq->number,
                      left, srq->next, srq->log_size);
        return false;
    }
    *index = srq->next;
    if (!buffer_copy(nic, &srq->buffer, (uint64_t)*index * stride, request, MIN(stride, size),
                     kReadMemory)) {
        return false;
    }
    srq->next = lduw_be_p(request + kNextIndex);
    srq->taken++;
    if (srq->limit > 0 && left - 1 < srq->limit) {
        srq->limit = 0;
        eq_post_object(nic, kEventSrqLimit, srq->number);
    }
    return true;
}

static Srq* find(Connectx* nic, const Command* command) {
    Srq* srq = find_object(nic->objects.srqs, command_object(command));

    if (!srq) {
        log_violation(nic, "there is no SRQ %#x", command_object(command));
    }
    return srq;
}

static Status add(Connectx* nic, Command* command, Srq* srq) {
    if (!pd_use(nic, srq->pd)) {
        log_violation(nic, "SRQ of protection domain %#x, which is not there", srq->pd);
        srq_free(srq);
        return kBadResource;
    }
    srq->number = ++nic->objects.next_number;
    add_object(nic->objects.srqs, srq->number, srq);
    command_answer_object(command, srq->number);
    log_say(nic, "      SRQ %#x: 2^%u x 2^%u bytes", srq->number, srq->log_size, srq->log_stride);
    return kOk;
}

Status srq_create_rmp(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_rmp_in, command->in, ctx);
    const uint8_t* queue = IFC_AT(rmpc, context, wq);
    const size_t list = (size_t)(IFC_AT(wq, queue, pas) - command->in);
    Srq* srq = g_new0(Srq, 1);

    fields_check(nic, "wq of rmpc", queue, IFC_OFF(wq, pas) / 8, kQueueFields,
                 ARRAY_SIZE(kQueueFields));
    memcpy(srq->context, context, sizeof(srq->context));
    srq->pd = IFC_GET(wq, queue, pd);
    srq->limit = IFC_GET(wq, queue, lwm);
    srq->log_size = IFC_GET(wq, queue, log_wq_sz);
    srq->log_stride = IFC_GET(wq, queue, log_wq_stride);
    srq->doorbell_record = IFC_GET(wq, queue, dbr_addr);
    buffer_init(&srq->buffer, command->in + list, command_rest(command, list),
                IFC_GET(wq, queue, log_wq_pg_sz), IFC_GET(wq, queue, page_offset));
    if (srq->log_size > 15 || srq->log_stride < 5 || srq->log_stride > 15 ||
        !buffer_holds(&srq->buffer, UINT64_C(1) << (srq->log_size + srq->log_stride))) {
        log_violation(nic, "RMP of 2^%u x 2^%u bytes, %u pages", srq->log_size, srq->log_stride,
                      srq->buffer.count);
        srq_free(srq);
        return kBadParameter;
    }
    return add(nic, command, srq);
}

Status srq_modify_rmp(Connectx* nic, Command* command) {
    const uint8_t* queue = IFC_AT(rmpc, IFC_AT(modify_rmp_in, command->in, ctx), wq);
    Srq* srq = find(nic, command);

    if (!srq) {
        return kBadResource;
    }
    srq->limit = IFC_GET(wq, queue, lwm);
    return kOk;
}

Status srq_query_rmp(Connectx* nic, Command* command) {
    uint8_t* context = IFC_AT(query_rmp_out, command->out, rmp_context);
    const Srq* srq = find(nic, command);

    if (!srq) {
        return kBadResource;
    }
    memcpy(context, srq->context, sizeof(srq->context));
    IFC_SET(wq, IFC_AT(rmpc, context, wq), lwm, srq->limit);
    IFC_SET(rmpc, context, state, kReady);
    return kOk;
}

Status srq_create_xrc(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_xrc_srq_in, command->in, xrc_srq_context_entry);
    const size_t list = IFC_OFF(create_xrc_srq_in, pas) / 8;
    Srq* srq = g_new0(Srq, 1);
    Status status;
    bool numbered;

    srq->pd = IFC_GET(xrc_srqc, context, pd);
    srq->limit = IFC_GET(xrc_srqc, context, lwm);
    srq->log_size = IFC_GET(xrc_srqc, context, log_xrc_srq_size);
    srq->log_stride = IFC_GET(xrc_srqc, context, log_rq_stride) + 4;
    srq->doorbell_record = IFC_GET(xrc_srqc, context, db_record_addr_h) << 32 |
                           IFC_GET(xrc_srqc, context, db_record_addr_l) << 2;
    buffer_init(&srq->buffer, command->in + list, command_rest(command, list),
                IFC_GET(xrc_srqc, context, log_page_size), IFC_GET(xrc_srqc, context, page_offset));
    srq->is_xrc = true;
    srq->xrcd = IFC_GET(xrc_srqc, context, xrcd);
    srq->cq = IFC_GET(xrc_srqc, context, cqn);
    srq->user_index = IFC_GET(xrc_srqc, context, user_index);
    numbered = IFC_GET(xrc_srqc, context, user_index_equal_xrc_srqn);
    status = add(nic, command, srq);
    if (status == kOk && numbered) {
        srq->user_index = srq->number;
    }
    return status;
}

Status srq_destroy(Connectx* nic, Command* command) {
    const Srq* srq = find(nic, command);

    if (!srq) {
        return kBadResource;
    }
    if (srq->users > 0) {
        log_violation(nic, "SRQ %#x is destroyed with %u users", srq->number, srq->users);
        return kResourceBusy;
    }
    pd_unuse(nic, srq->pd);
    g_hash_table_remove(nic->objects.srqs, GUINT_TO_POINTER(srq->number));
    return kOk;
}
