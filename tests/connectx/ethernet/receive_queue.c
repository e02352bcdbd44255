// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/ethernet/receive_queue.h"

#include "connectx/log.h"
#include "connectx/objects/cq.h"
#include "connectx/objects/pd.h"
#include "connectx/transport/completion.h"
#include "connectx/transport/responder.h"

enum { kLargestLog = 15, kSmallestStride = 4 };

typedef struct {
    uint32_t number, pd, cq;
    unsigned state;
    bool keeps_tags;
    Buffer buffer;
    Ring ring;
} ReceiveQueue;

void receive_queue_free(void* opaque) {
    ReceiveQueue* queue = opaque;

    buffer_free(&queue->buffer);
    g_free(queue);
}

// The kind of TCP or UDP header, as a completion has it (CQE_L4_HDR_TYPE_* of
// <linux/mlx5/device.h>).
static uint8_t transport_of(const uint8_t* frame, const Headers* headers) {
    enum { kNone, kTcpWithoutAck, kUdpHeader, kAckWithoutData, kAckAndData };
    enum { kDataOffset = 12, kFlags = 13, kAck = 0x10 };
    const uint8_t* tcp = frame + headers->transport;

    if (!headers->transport) {
        return kNone;
    }
    if (headers->protocol == kUdp) {
        return kUdpHeader;
    }
    if (!(tcp[kFlags] & kAck)) {
        return kTcpWithoutAck;
    }
    return headers->transport + (size_t)(tcp[kDataOffset] >> 4) * 4 < headers->end
               ? kAckAndData
               : kAckWithoutData;
}

// What a completion says of a frame of IP.
static void judge(const uint8_t* frame, const Headers* headers, FrameArrival* arrival) {
    if (headers->version == 0) {
        return;
    }
    arrival->version = headers->version;
    arrival->transport = transport_of(frame, headers);
    arrival->network_is_right = checksum_network_is_right(frame, headers);
    arrival->transport_is_right = checksum_transport_is_right(frame, headers);
    // The sum of the whole packet, header and all, without padding.
    arrival->sum =
        checksum_fold(checksum_add(0, frame + headers->network, headers->end - headers->network));
}

// Copies a frame to a buffer, without its tag if the completion has it.
static Syndrome fill(Connectx* nic, const Receive* receive, const uint8_t* frame, size_t size,
                     bool without_tag) {
    const size_t gap = without_tag ? kTag : 0;
    Syndrome syndrome = responder_fill(nic, receive, 0, frame, kMacs);

    if (syndrome == kSuccess) {
        syndrome = responder_fill(nic, receive, kMacs, frame + kMacs + gap, size - kMacs - gap);
    }
    return syndrome;
}

void receive_queue_put(Connectx* nic, uint32_t number, const uint8_t* frame, size_t size,
                       const Headers* headers) {
    ReceiveQueue* queue = find_object(nic->objects.rqs, number);
    g_autofree Receive* receive = g_new0(Receive, 1);
    FrameArrival arrival = {0};

    if (!queue || queue->state != MLX5_RQC_STATE_RDY) {
        return;
    }
    receive->pd = queue->pd;
    receive->slot.cq = queue->cq;
    if (responder_take_ring(nic, &queue->ring, &queue->buffer, receive) != kTaken) {
        return;
    }
    arrival.tagged = headers->tagged && !queue->keeps_tags;
    arrival.tag = headers->tag;
    arrival.bytes = size - (arrival.tagged ? kTag : 0);
    judge(frame, headers, &arrival);
    if (fill(nic, receive, frame, size, arrival.tagged) == kSuccess) {
        complete_arrival(nic, &receive->slot, &arrival);
    } else {
        log_violation(nic, "RQ %#x: a frame of %zu bytes, and a buffer of %" PRIu64, number, size,
                      receive->capacity);
        queue->state = MLX5_RQC_STATE_ERR;
    }
}

// The driver's queue that drops all frames is of no protection domain, and has no buffers.
static bool use_pd(Connectx* nic, uint32_t pd) {
    return pd == 0 || pd_use(nic, pd);
}

static void unuse_pd(Connectx* nic, uint32_t pd) {
    if (pd != 0) {
        pd_unuse(nic, pd);
    }
}

Status receive_queue_create(Connectx* nic, Command* command) {
    const uint8_t* context = IFC_AT(create_rq_in, command->in, ctx);
    const uint8_t* ring = IFC_AT(rqc, context, wq);
    const size_t list = (size_t)(IFC_AT(wq, ring, pas) - command->in);
    ReceiveQueue* queue = g_new0(ReceiveQueue, 1);
    bool room;

    queue->pd = IFC_GET(wq, ring, pd);
    queue->cq = IFC_GET(rqc, context, cqn);
    queue->keeps_tags = IFC_GET(rqc, context, vsd);
    queue->state = MLX5_RQC_STATE_RST;
    queue->ring.doorbell_record = IFC_GET(wq, ring, dbr_addr);
    queue->ring.log_size = IFC_GET(wq, ring, log_wq_sz);
    queue->ring.log_stride = IFC_GET(wq, ring, log_wq_stride);
    buffer_init(&queue->buffer, command->in + list, command_rest(command, list),
                IFC_GET(wq, ring, log_wq_pg_sz), IFC_GET(wq, ring, page_offset));
    room = queue->ring.log_size <= kLargestLog && queue->ring.log_stride >= kSmallestStride &&
           queue->ring.log_stride <= kLargestLog &&
           buffer_holds(&queue->buffer, UINT64_C(1)
                                            << (queue->ring.log_size + queue->ring.log_stride));
    if (IFC_GET(wq, ring, wq_type) != MLX5_WQ_TYPE_CYCLIC || !room) {
        log_violation(nic, "RQ of type %u, 2^%u x 2^%u bytes, %u pages",
                      (unsigned)IFC_GET(wq, ring, wq_type), queue->ring.log_size,
                      queue->ring.log_stride, queue->buffer.count);
        receive_queue_free(queue);
        return kBadParameter;
    }
    if (!use_pd(nic, queue->pd) || !cq_use(nic, queue->cq)) {
        log_violation(nic, "RQ of protection domain %#x, CQ %#x, not all of which are there",
                      queue->pd, queue->cq);
        receive_queue_free(queue);
        return kBadResource;
    }
    queue->number = ++nic->objects.next_number;
    add_object(nic->objects.rqs, queue->number, queue);
    command_answer_object(command, queue->number);
    log_say(nic, "      RQ %#x: 2^%u x 2^%u bytes, CQ %#x", queue->number, queue->ring.log_size,
            queue->ring.log_stride, queue->cq);
    return kOk;
}

static ReceiveQueue* find(Connectx* nic, const Command* command) {
    ReceiveQueue* queue = find_object(nic->objects.rqs, command_object(command));

    if (!queue) {
        log_violation(nic, "there is no RQ %#x", command_object(command));
    }
    return queue;
}

Status receive_queue_modify(Connectx* nic, Command* command) {
    enum { kTagsToo = 1 << 1 };  // MODIFY_BITMASK_VSD
    const uint8_t* context = IFC_AT(modify_rq_in, command->in, ctx);
    const unsigned state = IFC_GET(rqc, context, state);
    ReceiveQueue* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    if (state == MLX5_RQC_STATE_RST) {
        queue->ring.consumer = 0;
    }
    if (IFC_GET(modify_rq_in, command->in, modify_bitmask) & kTagsToo) {
        queue->keeps_tags = IFC_GET(rqc, context, vsd);
    }
    queue->state = state;
    return kOk;
}

Status receive_queue_query(Connectx* nic, Command* command) {
    uint8_t* context = IFC_AT(query_rq_out, command->out, rq_context);
    const ReceiveQueue* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    IFC_SET(rqc, context, cqn, queue->cq);
    IFC_SET(rqc, context, vsd, queue->keeps_tags);
    IFC_SET(rqc, context, state, queue->state);
    return kOk;
}

Status receive_queue_destroy(Connectx* nic, Command* command) {
    const ReceiveQueue* queue = find(nic, command);

    if (!queue) {
        return kBadResource;
    }
    cq_unuse(nic, queue->cq);
    unuse_pd(nic, queue->pd);
    g_hash_table_remove(nic->objects.rqs, GUINT_TO_POINTER(queue->number));
    return kOk;
}
