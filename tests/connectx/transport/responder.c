// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/responder.h"

#include "connectx/log.h"
#include "connectx/objects/mkey.h"
#include "connectx/objects/srq.h"

enum {
    kSegment = 16,
    kSrqHeader = 16,  // struct mlx5_wqe_srq_next_seg
    kLength = 0x7fffffff,
    kEndKey = 0x100,  // the key of a segment after the last
};

// The bytes that the data segments have, up to the last one.
static void measure(Receive* receive) {
    size_t at = receive->data;

    for (; at + kSegment <= receive->end; at += kSegment) {
        const uint8_t* segment = receive->bytes + at;

        if ((uint32_t)ldl_be_p(segment + 4) == kEndKey) {
            break;
        }
        receive->capacity += ldl_be_p(segment) & kLength;
    }
    receive->end = at;
}

static Take take_shared(Connectx* nic, Srq* srq, Receive* receive) {
    uint16_t index;

    if (!srq_take(nic, srq, &index, receive->bytes, sizeof(receive->bytes))) {
        return kNonePosted;
    }
    receive->slot.index = index;
    receive->pd = srq->pd;
    receive->data = kSrqHeader;
    receive->end = MIN((size_t)1 << srq->log_stride, sizeof(receive->bytes));
    measure(receive);
    return kTaken;
}

Srq* responder_srq(Connectx* nic, const Qp* qp, uint32_t number) {
    Srq* srq = find_object(nic->objects.srqs, number);

    if (!srq || !srq->is_xrc || srq->xrcd != QPC(qp, xrcd)) {
        log_say(nic, "QP %#x: its peer names SRQ %#x, which its domain has not", qp->number,
                number);
        return NULL;
    }
    return srq;
}

static Take take_xrc(Connectx* nic, const Qp* qp, uint32_t number, Receive* receive) {
    Srq* srq = responder_srq(nic, qp, number);

    if (!srq) {
        return kQueueBroken;
    }
    receive->srq = number;
    receive->slot = (Slot){.cq = srq->cq, .user_index = srq->user_index};
    return take_shared(nic, srq, receive);
}

Take responder_take_ring(Connectx* nic, Ring* ring, const Buffer* buffer, Receive* receive) {
    const size_t stride = (size_t)1 << ring->log_stride;
    uint16_t left;

    if (!ring->doorbell_record) {
        return kNonePosted;
    }
    left = (uint16_t)dma_be32(nic, ring->doorbell_record) - ring->consumer;
    if (left == 0) {
        return kNonePosted;
    }
    if (left > 1u << ring->log_size) {
        log_violation(nic, "%u receive requests are posted in a ring of 2^%u", left,
                      ring->log_size);
        return kQueueBroken;
    }
    receive->slot.index = ring->consumer;
    receive->data = 0;
    receive->end = MIN(stride, sizeof(receive->bytes));
    if (!buffer_copy(nic, buffer,
                     (receive->slot.index & ((1u << ring->log_size) - 1)) * (uint64_t)stride,
                     receive->bytes, receive->end, kReadMemory)) {
        return kQueueBroken;
    }
    ring->consumer++;
    measure(receive);
    return kTaken;
}

static Take take_own(Connectx* nic, Qp* qp, Receive* receive) {
    Ring ring = {qp->doorbell_record, qp->rq_log, qp->rq_log_stride, qp->rq_consumer};
    const Take take = responder_take_ring(nic, &ring, &qp->buffer, receive);

    qp->rq_consumer = ring.consumer;
    return take;
}

Take responder_take(Connectx* nic, Qp* qp, uint32_t number, Receive* receive) {
    Srq* srq;

    memset(receive, 0, sizeof(*receive));
    receive->slot = slot_of(qp, 0);
    receive->pd = qp->pd;
    if (qp->type == kXrc) {
        return take_xrc(nic, qp, number, receive);
    }
    if (qp->rq_type == kSharedRq) {
        srq = find_object(nic->objects.srqs, QPC(qp, srqn_rmpn_xrqn));
        return srq ? take_shared(nic, srq, receive) : kQueueBroken;
    }
    return qp->rq_type == kOwnRq ? take_own(nic, qp, receive) : kNonePosted;
}

Syndrome responder_fill(Connectx* nic, const Receive* receive, uint64_t offset, const void* data,
                        size_t size) {
    const uint8_t* p = data;

    for (size_t at = receive->data; size > 0; at += kSegment) {
        const uint8_t* segment = receive->bytes + at;
        uint64_t length;
        size_t part;

        if (at + kSegment > receive->end) {
            return kLocalLength;
        }
        length = ldl_be_p(segment) & kLength;
        part = offset < length ? MIN(size, length - offset) : 0;
        if (!mkey_copy(nic, receive->pd, ldl_be_p(segment + 4), ldq_be_p(segment + 8) + offset,
                       (void*)p, part, kWriteMemory, kByLocal)) {
            return kLocalProtection;
        }
        p += part;
        size -= part;
        offset = part > 0 ? 0 : offset - length;
    }
    return kSuccess;
}

void responder_complete(Connectx* nic, const Qp* qp, const Receive* receive, Syndrome syndrome,
                        uint32_t bytes, const Arrival* arrival) {
    if (receive->srq && !find_object(nic->objects.srqs, receive->srq)) {
        return;  // the queue was destroyed meanwhile, and its requests with it
    }
    if (syndrome == kSuccess) {
        complete_receive(nic, qp, &receive->slot, bytes, arrival);
    } else {
        complete_receive_error(nic, qp, &receive->slot, syndrome);
    }
}

void responder_flush(Connectx* nic, Qp* qp) {
    uint16_t left;

    if (qp->rq_type != kOwnRq || !qp->doorbell_record || qp->frames) {
        return;
    }
    left = (uint16_t)dma_be32(nic, qp->doorbell_record) - qp->rq_consumer;
    left = MIN(left, 1u << qp->rq_log);
    for (; left > 0; left--) {
        const Slot slot = slot_of(qp, qp->rq_consumer++);

        complete_receive_error(nic, qp, &slot, kFlushed);
    }
}
