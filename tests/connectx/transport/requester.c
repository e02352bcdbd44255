// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/requester.h"

#include "connectx/log.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/mkey.h"
#include "connectx/transport/failure.h"

enum {
    kBlock = 64,
    kSegment = 16,
    // The control segment (struct mlx5_wqe_ctrl_seg).
    kIndex = 1,
    kOpcode = 3,
    kQpAndSegments = 4,
    kFlags = 11,
    kImmediate = 12,
    kSegments = 0x3f,
    kSolicited = 2,
    kSignaled = 2,  // of two bits
    // The top bit of a data segment's length says that the data follow.
    kInlineLength = 0x3ff,
    kSqRecord = 4,  // of the doorbell record
    // Behind the control segment, struct mlx5_wqe_umr_ctrl_seg and struct mlx5_mkey_seg, which is
    // the beginning of mkc.
    kChangeTranslations = kSegment + 4,
    kChangeMask = kSegment + 8,
    kChangeContext = kSegment + 48,
    kChangeEnd = kChangeContext + 64,
};

static const uint32_t kInline = 0x80000000;

// The index after the last request that is posted.
static uint16_t posted(Connectx* nic, const Qp* qp) {
    return dma_be32(nic, qp->doorbell_record + kSqRecord);
}

static bool read_ring(Connectx* nic, const Qp* qp, uint16_t index, uint8_t* bytes, size_t size) {
    const uint64_t ring = (uint64_t)kBlock << qp->sq_log;
    const uint64_t at = (uint64_t)index * kBlock % ring;
    const size_t part = MIN(size, ring - at);

    return buffer_copy(nic, &qp->buffer, qp->sq_at + at, bytes, part, kReadMemory) &&
           (part == size ||
            buffer_copy(nic, &qp->buffer, qp->sq_at, bytes + part, size - part, kReadMemory));
}

static unsigned blocks(size_t bytes) {
    return DIV_ROUND_UP(MAX(bytes, 1), kBlock);
}

// Bytes of a request, as its control segment has them.
static size_t size_of(const uint8_t* control) {
    return (ldl_be_p(control + kQpAndSegments) & kSegments) * kSegment;
}

static bool refuse(Connectx* nic, Qp* qp, const char* what, uint32_t value) {
    log_violation(nic, "QP %#x: request %u: %s (%#x)", qp->number, qp->sq_consumer, what, value);
    if (!qp->frames) {
        complete_error(nic, qp, true, qp->sq_consumer, 0, kLocalOperation);
        qp_to_error(nic, qp);
        eq_post_object(nic, kEventInvalidRequest, qp->number);
    }
    return false;
}

static uint64_t data_bytes(const Request* request) {
    uint64_t sum = 0;

    for (size_t at = request->segment; at + kSegment <= request->end;) {
        const uint32_t head = ldl_be_p(request->bytes + at);

        if (head & kInline) {
            sum += head & kInlineLength;
            at += ROUND_UP((head & kInlineLength) + sizeof(head), kSegment);
        } else {
            sum += head;
            at += kSegment;
        }
    }
    return sum;
}

// Reads the segments between control and data.
static bool decode(Connectx* nic, Qp* qp, Request* request) {
    const uint8_t* bytes = request->bytes;
    size_t at = kSegment;

    request->path = NULL;
    request->immediate = NULL;
    if (qp->frames || request->opcode == kNop) {
        return true;
    }
    if (qp_is_datagram(qp)) {
        request->path = bytes + at;
        at += kPathBytes;
    }
    switch (request->opcode) {
        case kSendImmediate:
        case kSendInvalidate:
            request->immediate = bytes + kImmediate;
            break;
        case kSend:
            break;
        case kChangeKey:
            if (qp->type != kUmr) {
                return refuse(nic, qp, "only the driver changes keys, by a queue pair for it", 0);
            }
            request->length = 0;
            return request->end >= kChangeEnd || refuse(nic, qp, "too short", request->end);
        case kWriteImmediate:
            request->immediate = bytes + kImmediate;
            // fall through
        case kWrite:
        case kRead:
        case kCompareSwap:
        case kFetchAdd:
            if (request->path) {
                return refuse(nic, qp, "a datagram cannot have the opcode", request->opcode);
            }
            request->remote_address = ldq_be_p(bytes + at);
            request->remote_key = ldl_be_p(bytes + at + 8);
            at += kSegment;
            break;
        default:
            return refuse(nic, qp, "unknown opcode", request->opcode);
    }
    if (request->opcode == kCompareSwap || request->opcode == kFetchAdd) {
        request->swap_add = ldq_be_p(bytes + at);
        request->compare = ldq_be_p(bytes + at + 8);
        at += kSegment;
    }
    if (at > request->end) {
        return refuse(nic, qp, "too short", request->end);
    }
    request->segment = at;
    request->done = 0;
    request->length = data_bytes(request);
    if (request->length > UINT64_C(1) << 30) {  // log_max_msg of the capabilities
        complete_error(nic, qp, true, request->index, request->opcode, kLocalLength);
        qp->sq_consumer += blocks(request->end);
        qp_to_error(nic, qp);
        return false;
    }
    return true;
}

bool requester_take(Connectx* nic, Qp* qp, Request* request) {
    const uint16_t left = posted(nic, qp) - qp->sq_consumer;
    uint8_t* bytes = request->bytes;

    if (left == 0) {
        return false;
    }
    if (left > 1u << qp->sq_log) {
        return refuse(nic, qp, "more blocks are posted than the queue has", left);
    }
    if (!read_ring(nic, qp, qp->sq_consumer, bytes, kBlock)) {
        return refuse(nic, qp, "the ring has no memory", 0);
    }
    // BlueFlame: the request came with the doorbell.
    if (qp->has_burst && lduw_be_p(qp->burst + kIndex) == qp->sq_consumer) {
        memcpy(bytes, qp->burst, kBurst);
        qp->has_burst = false;
    }
    request->index = qp->sq_consumer;
    request->opcode = bytes[kOpcode];
    request->signaled = (bytes[kFlags] >> 2 & 3) == kSignaled;
    request->solicited = bytes[kFlags] & kSolicited;
    request->end = size_of(bytes);
    if (request->end < kSegment || blocks(request->end) > left) {
        return refuse(nic, qp, "has another length than what is posted", request->end);
    }
    if ((uint32_t)ldl_be_p(bytes + kQpAndSegments) >> 8 != qp->number) {
        return refuse(nic, qp, "names another queue pair", ldl_be_p(bytes + kQpAndSegments));
    }
    if (lduw_be_p(bytes + kIndex) != qp->sq_consumer) {
        return refuse(nic, qp, "has another index", lduw_be_p(bytes + kIndex));
    }
    if (request->end > kBlock &&
        !read_ring(nic, qp, qp->sq_consumer + 1, bytes + kBlock, request->end - kBlock)) {
        return refuse(nic, qp, "the ring has no memory", 0);
    }
    return decode(nic, qp, request);
}

bool request_copy(Connectx* nic, const Qp* qp, Request* request, void* data, size_t size,
                  Direction direction) {
    uint8_t* p = data;

    while (size > 0 && request->segment + kSegment <= request->end) {
        uint8_t* segment = request->bytes + request->segment;
        const uint32_t head = ldl_be_p(segment);
        const bool is_inline = head & kInline;
        const uint64_t length = is_inline ? head & kInlineLength : head;
        const size_t part = MIN(size, length - request->done);

        if (is_inline) {
            const size_t place = request->segment + sizeof(head) + request->done;

            if (direction == kWriteMemory || place + part > request->end) {
                return false;
            }
            memcpy(p, request->bytes + place, part);
        } else if (!mkey_copy(nic, qp->pd, ldl_be_p(segment + 4),
                              ldq_be_p(segment + 8) + request->done, p, part, direction,
                              kByLocal)) {
            return false;
        }
        p += part;
        size -= part;
        request->done += part;
        if (request->done == length) {
            request->segment += is_inline ? ROUND_UP(length + sizeof(head), kSegment) : kSegment;
            request->done = 0;
        }
    }
    return size == 0;
}

bool request_change_key(Connectx* nic, const Request* request) {
    const uint8_t* bytes = request->bytes;
    const uint32_t key = ldl_be_p(bytes + kImmediate);

    if (lduw_be_p(bytes + kChangeTranslations)) {
        log_violation(nic, "key %#x: a request cannot change its pages", key);
        return false;
    }
    return mkey_change(nic, key, ldq_be_p(bytes + kChangeMask), bytes + kChangeContext);
}

void requester_complete(Connectx* nic, Qp* qp, const Request* request, Syndrome syndrome,
                        uint32_t bytes) {
    qp->sq_consumer += blocks(request->end);
    qp->rnr_retries = 0;
    if (syndrome != kSuccess) {
        log_say(nic, "QP %#x: opcode %#x ends with syndrome %#x", qp->number, request->opcode,
                syndrome);
        complete_error(nic, qp, true, request->index, request->opcode, syndrome);
        qp_to_error(nic, qp);
    } else if (request->signaled && qp->frames) {
        complete_frame(nic, qp, request->index, request->opcode);
    } else if (request->signaled) {
        complete_request(nic, qp, request->index, request->opcode, bytes);
    }
}

void requester_flush(Connectx* nic, Qp* qp) {
    uint8_t control[kBlock];
    uint16_t left;

    if (!qp->has_sq || !qp->doorbell_record || qp->frames) {
        return;
    }
    left = posted(nic, qp) - qp->sq_consumer;
    left = MIN(left, 1u << qp->sq_log);
    while (left > 0 && read_ring(nic, qp, qp->sq_consumer, control, kBlock)) {
        const unsigned size = blocks(size_of(control));

        complete_error(nic, qp, true, qp->sq_consumer, control[kOpcode], kFlushed);
        qp->sq_consumer += MIN(size, left);
        left -= MIN(size, left);
    }
}
