// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/responder.h"

#include "connectx/log.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/srq.h"
#include "connectx/transport/failure.h"

enum {
    kSegment = 16,
    kSrqHeader = 16,  // struct mlx5_wqe_srq_next_seg
    kLength = 0x7fffffff,
    kEndKey = 0x100,  // the key of a segment after the last
};

bool responder_take(Connectx* nic, Qp* qp, Receive* receive) {
    const size_t stride = (size_t)1 << qp->rq_log_stride;
    uint16_t left;

    receive->done = receive->filled = 0;
    receive->segment = 0;
    receive->pd = qp->pd;
    if (qp->rq_type == kSharedRq) {
        Srq* srq = find_object(nic->objects.srqs, QPC(qp, srqn_rmpn_xrqn));

        if (!srq || !srq_take(nic, srq, &receive->index, receive->bytes, sizeof(receive->bytes))) {
            return false;
        }
        receive->segment = kSrqHeader;
        receive->end = MIN((size_t)1 << srq->log_stride, sizeof(receive->bytes));
        receive->pd = srq->pd;
        return true;
    }
    if (qp->rq_type != kOwnRq || !qp->doorbell_record) {
        return false;
    }
    left = (uint16_t)dma_be32(nic, qp->doorbell_record) - qp->rq_consumer;
    if (left == 0) {
        return false;
    }
    if (left > 1u << qp->rq_log) {
        log_violation(nic, "QP %#x: %u receive requests are posted, of 2^%u", qp->number, left,
                      qp->rq_log);
        qp_to_error(nic, qp);
        return false;
    }
    receive->index = qp->rq_consumer++;
    receive->end = MIN(stride, sizeof(receive->bytes));
    return buffer_copy(nic, &qp->buffer,
                       (receive->index & ((1u << qp->rq_log) - 1)) * (uint64_t)stride,
                       receive->bytes, receive->end, kReadMemory);
}

Syndrome responder_fill(Connectx* nic, Receive* receive, const void* data, size_t size) {
    const uint8_t* p = data;

    while (size > 0) {
        const uint8_t* segment = receive->bytes + receive->segment;
        uint32_t length, key;
        size_t part;

        if (receive->segment + kSegment > receive->end) {
            return kLocalLength;
        }
        length = ldl_be_p(segment) & kLength;
        key = ldl_be_p(segment + 4);
        if (key == kEndKey) {
            return kLocalLength;
        }
        part = MIN(size, length - receive->done);
        if (!mkey_copy(nic, receive->pd, key, ldq_be_p(segment + 8) + receive->done, (void*)p, part,
                       kWriteMemory, kByLocal)) {
            return kLocalProtection;
        }
        p += part;
        size -= part;
        receive->done += part;
        receive->filled += part;
        if (receive->done == length) {
            receive->segment += kSegment;
            receive->done = 0;
        }
    }
    return kSuccess;
}

void responder_complete(Connectx* nic, Qp* qp, const Receive* receive, Syndrome syndrome,
                        uint32_t bytes, const Arrival* arrival) {
    if (syndrome == kSuccess) {
        complete_receive(nic, qp, receive->index, bytes, arrival);
    } else {
        complete_error(nic, qp, false, receive->index, 0, syndrome);
        qp_to_error(nic, qp);
    }
}

static bool qp_allows(const Qp* qp, Direction direction, Access access) {
    if (access == kByAtomic) {
        return QPC(qp, rae);
    }
    return direction == kWriteMemory ? QPC(qp, rwe) : QPC(qp, rre);
}

bool responder_allows(Connectx* nic, Qp* qp, uint32_t key, uint64_t address, uint64_t size,
                      Direction direction, Access access) {
    if (qp_allows(qp, direction, access) &&
        mkey_allows(nic, qp->pd, key, address, size, direction, access)) {
        return true;
    }
    log_say(nic, "QP %#x: its peer may not reach key %#x", qp->number, key);
    qp_to_error(nic, qp);
    eq_post_object(nic, kEventAccessError, qp->number);
    return false;
}

void responder_flush(Connectx* nic, Qp* qp) {
    uint16_t left;

    if (qp->rq_type != kOwnRq || !qp->doorbell_record || qp->frames) {
        return;
    }
    left = (uint16_t)dma_be32(nic, qp->doorbell_record) - qp->rq_consumer;
    left = MIN(left, 1u << qp->rq_log);
    for (; left > 0; left--) {
        complete_error(nic, qp, false, qp->rq_consumer++, 0, kFlushed);
    }
}
