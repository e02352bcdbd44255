// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
#include "connectx/transport/requester.h"

#include "connectx/log.h"
#include "connectx/objects/eq.h"
#include "connectx/objects/mkey.h"
#include "connectx/objects/window.h"

enum {
    kBlock = 64,
    kSegment = 16,
    // The control segment (struct mlx5_wqe_ctrl_seg).
    kIndex = 1,
    kOpcode = 3,
    kQpAndSegments = 4,
    kFlags = 11,
    kFenceShift = 5,  // of the flags
    kImmediate = 12,
    kSegments = 0x3f,
    kSolicited = 2,
    kSignaled = 2,  // of two bits
    // The top bit of a data segment's length says that the data follow.
    kInlineLength = 0x3ff,
    kSqRecord = 4,  // of the doorbell record
    kPathBytes = 48,
    // Headers of a frame (struct mlx5_wqe_eth_seg of <linux/mlx5/qp.h>): two bytes are in the
    // segment, and the others follow.
    kEthernetSegment = 16,
    kHeaderBytes = kSegment + 12,
    kHeadersInSegment = 2,
    // Behind the control segment, struct mlx5_wqe_umr_ctrl_seg and struct mlx5_mkey_seg, which is
    // the beginning of mkc.
    kChangeTranslations = kSegment + 4,
    kChangeMask = kSegment + 8,
    kChangeContext = kSegment + 48,
    kChangeEnd = kChangeContext + 64,
};

// Kinds of fences in the flags (MLX5_FENCE_MODE_* of <linux/mlx5/qp.h>): the one that concerns
// local requests only has a lower number, and those run in order.
enum { kFence = 2 };

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
    return (size_t)(ldl_be_p(control + kQpAndSegments) & kSegments) * kSegment;
}

static void refuse(Connectx* nic, const Qp* qp, Request* request, const char* what,
                   uint32_t value) {
    log_violation(nic, "QP %#x: request %u: %s (%#x)", qp->number, request->index, what, value);
    request->refused = true;
}

static uint64_t data_bytes(const Request* request) {
    uint64_t sum = 0;

    for (size_t at = request->data; at + kSegment <= request->end;) {
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

// A frame: its headers are in the request.
static void decode_frame(Connectx* nic, const Qp* qp, Request* request) {
    const size_t headers = lduw_be_p(request->bytes + kHeaderBytes);
    const size_t follow = headers > kHeadersInSegment ? headers - kHeadersInSegment : 0;
    const size_t data = kSegment + kEthernetSegment + ROUND_UP(follow, kSegment);

    if (request->opcode != kSend && request->opcode != kLargeSend) {
        refuse(nic, qp, request, "unknown opcode", request->opcode);
    } else if (data > request->end) {
        refuse(nic, qp, request, "too short", request->end);
    } else {
        request->data = data;
        request->length = data_bytes(request);
    }
}

// Reads the segments between control and data.
static void decode(Connectx* nic, const Qp* qp, Request* request) {
    const uint8_t* bytes = request->bytes;
    size_t at = kSegment;

    if (request->opcode == kNop) {
        return;
    }
    if (qp->frames) {
        decode_frame(nic, qp, request);
        return;
    }
    if (qp_is_datagram(qp)) {
        request->path = bytes + at;
        at += kPathBytes;
    } else if (qp->type == kXrc) {
        request->srq = ldl_be_p(bytes + at) & kNumberMask;
        at += kSegment;
    }
    switch (request->opcode) {
        case kSendImmediate:
        case kSendInvalidate:
            request->immediate = bytes + kImmediate;
            break;
        case kSend:
            break;
        case kChangeKey:
            if (qp->type != kUmr && qp->type != kRc && qp->type != kUc) {
                refuse(nic, qp, request, "its type has no windows", qp->type);
            } else if (qp->type == kUmr && request->end < kChangeEnd) {
                refuse(nic, qp, request, "too short", request->end);
            }
            return;
        case kWriteImmediate:
            request->immediate = bytes + kImmediate;
            // fall through
        case kWrite:
        case kRead:
        case kCompareSwap:
        case kFetchAdd:
            if (request->path) {
                refuse(nic, qp, request, "a datagram cannot have the opcode", request->opcode);
                return;
            }
            request->remote_address = ldq_be_p(bytes + at);
            request->remote_key = ldl_be_p(bytes + at + 8);
            at += kSegment;
            break;
        default:
            refuse(nic, qp, request, "unknown opcode", request->opcode);
            return;
    }
    if (request->opcode == kCompareSwap || request->opcode == kFetchAdd) {
        request->swap_add = ldq_be_p(bytes + at);
        request->compare = ldq_be_p(bytes + at + 8);
        at += kSegment;
    }
    if (at > request->end) {
        refuse(nic, qp, request, "too short", request->end);
        return;
    }
    request->data = at;
    request->length = data_bytes(request);
}

// BlueFlame: the request's beginning came with the doorbell.  A burst of a request that was taken
// already is of no use.
static void take_burst(Qp* qp, const Request* request, uint8_t* bytes) {
    const int16_t ahead = lduw_be_p(qp->burst + kIndex) - request->index;

    if (qp->has_burst && ahead <= 0) {
        qp->has_burst = false;
        if (ahead == 0) {
            memcpy(bytes, qp->burst, kBurst);
        }
    }
}

// Reads a request of which `left` blocks may be.
static void read_request(Connectx* nic, Qp* qp, Request* request, uint16_t left) {
    uint8_t* bytes = request->bytes;

    if ((uint16_t)(left + qp->sq_taken - qp->sq_consumer) > 1u << qp->sq_log) {
        refuse(nic, qp, request, "more blocks are posted than the queue has", left);
        return;
    }
    if (!read_ring(nic, qp, request->index, bytes, kBlock)) {
        refuse(nic, qp, request, "the ring has no memory", 0);
        return;
    }
    take_burst(qp, request, bytes);
    request->opcode = bytes[kOpcode];
    request->signaled = (bytes[kFlags] >> 2 & 3) == kSignaled;
    request->solicited = bytes[kFlags] & kSolicited;
    request->fence = bytes[kFlags] >> kFenceShift >= kFence;
    request->end = size_of(bytes);
    if (request->end < kSegment || blocks(request->end) > left) {
        refuse(nic, qp, request, "has another length than what is posted", request->end);
        return;
    }
    request->blocks = blocks(request->end);
    if ((uint32_t)ldl_be_p(bytes + kQpAndSegments) >> 8 != qp->number) {
        refuse(nic, qp, request, "names another queue pair", ldl_be_p(bytes + kQpAndSegments));
    } else if (lduw_be_p(bytes + kIndex) != request->index) {
        refuse(nic, qp, request, "has another index", lduw_be_p(bytes + kIndex));
    } else if (request->end > kBlock &&
               !read_ring(nic, qp, request->index + 1, bytes + kBlock, request->end - kBlock)) {
        refuse(nic, qp, request, "the ring has no memory", 0);
    } else {
        decode(nic, qp, request);
    }
}

bool requester_has(Connectx* nic, const Qp* qp) {
    return qp->has_sq && qp->doorbell_record && posted(nic, qp) != qp->sq_taken;
}

bool requester_take(Connectx* nic, Qp* qp, Request* request) {
    const uint16_t left = qp->has_sq && qp->doorbell_record ? posted(nic, qp) - qp->sq_taken : 0;

    if (left == 0) {
        return false;
    }
    memset(request, 0, sizeof(*request));
    request->index = qp->sq_taken;
    request->blocks = 1;
    read_request(nic, qp, request, left);
    qp->sq_taken += request->blocks;
    return true;
}

bool request_copy(Connectx* nic, const Qp* qp, const Request* request, uint64_t offset, void* data,
                  size_t size, Direction direction) {
    uint8_t* p = data;

    for (size_t at = request->data; size > 0 && at + kSegment <= request->end;) {
        const uint8_t* segment = request->bytes + at;
        const uint32_t head = ldl_be_p(segment);
        const bool is_inline = head & kInline;
        const uint64_t length = is_inline ? head & kInlineLength : head;
        const size_t part = offset < length ? MIN(size, length - offset) : 0;

        if (part > 0 && is_inline) {
            const size_t place = at + sizeof(head) + offset;

            if (direction == kWriteMemory || place + part > request->end) {
                return false;
            }
            memcpy(p, request->bytes + place, part);
        } else if (!mkey_copy(nic, qp->pd, ldl_be_p(segment + 4), ldq_be_p(segment + 8) + offset, p,
                              part, direction, kByLocal)) {
            return false;
        }
        p += part;
        size -= part;
        offset = part > 0 ? 0 : offset - length;
        at += is_inline ? ROUND_UP(length + sizeof(head), kSegment) : kSegment;
    }
    return size == 0;
}

Syndrome request_change_key(Connectx* nic, const Qp* qp, const Request* request) {
    const uint8_t* bytes = request->bytes;
    const uint32_t key = ldl_be_p(bytes + kImmediate);

    if (qp->type != kUmr) {
        return window_change(nic, qp, key, bytes + kSegment, request->end - kSegment) ? kSuccess
                                                                                      : kBinding;
    }
    if (lduw_be_p(bytes + kChangeTranslations)) {
        log_violation(nic, "key %#x: a request cannot change its pages", key);
        return kLocalProtection;
    }
    return mkey_change(nic, key, ldq_be_p(bytes + kChangeMask), bytes + kChangeContext)
               ? kSuccess
               : kLocalProtection;
}

void requester_complete(Connectx* nic, Qp* qp, const Request* request, Syndrome syndrome,
                        uint32_t bytes) {
    qp->sq_consumer = request->index + request->blocks;
    if (syndrome != kSuccess) {
        log_say(nic, "QP %#x: opcode %#x ends with syndrome %#x", qp->number, request->opcode,
                syndrome);
        complete_error(nic, qp, request->index, request->opcode, syndrome);
    } else if (request->signaled && qp->frames) {
        complete_frame(nic, qp, request->index, request->opcode);
    } else if (request->signaled) {
        complete_request(nic, qp, request->index, request->opcode, bytes);
    }
    if (request->refused && !qp->frames) {
        eq_post_object(nic, kEventInvalidRequest, qp->number);
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

        complete_error(nic, qp, qp->sq_consumer, control[kOpcode], kFlushed);
        qp->sq_consumer += MIN(size, left);
        left -= MIN(size, left);
    }
    qp->sq_taken = qp->sq_consumer;
}
