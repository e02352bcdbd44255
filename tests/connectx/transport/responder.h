// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The receiving end of a queue pair: its receive requests.
#ifndef VRDMA_CONNECTX_TRANSPORT_RESPONDER_H
#define VRDMA_CONNECTX_TRANSPORT_RESPONDER_H

#include "connectx/objects/srq.h"
#include "connectx/transport/completion.h"

enum { kReceiveBytes = 512 };

// A receive request that was taken.
typedef struct {
    Slot slot;
    uint32_t srq;  // XRC: the shared queue that it is of, or else 0
    uint32_t pd;
    uint64_t capacity;  // bytes that it has room for
    uint8_t bytes[kReceiveBytes];
    size_t data, end;  // of the data segments
} Receive;

// A ring of receive requests.
typedef struct {
    uint64_t doorbell_record;
    unsigned log_size, log_stride;  // entries, bytes
    uint16_t consumer;
} Ring;

typedef enum { kTaken, kNonePosted, kQueueBroken } Take;

// The shared queue that a message of XRC names, which has a CQ of its own.  NULL if the target's
// domain has no such one (IBA annex A14).
Srq* responder_srq(Connectx* nic, const Qp* qp, uint32_t number);

// Takes the next receive request of the queue pair, or of the shared queue that XRC names.
Take responder_take(Connectx* nic, Qp* qp, uint32_t srq, Receive* receive);

// Takes the next request of a ring.
Take responder_take_ring(Connectx* nic, Ring* ring, const Buffer* buffer, Receive* receive);

// Puts bytes of a message where the request says: kSuccess, kLocalProtection or kLocalLength.
Syndrome responder_fill(Connectx* nic, const Receive* receive, uint64_t offset, const void* data,
                        size_t size);

// The message is over: `arrival` is what it brought, unless the syndrome is an error.
void responder_complete(Connectx* nic, const Qp* qp, const Receive* receive, Syndrome syndrome,
                        uint32_t bytes, const Arrival* arrival);

// Ends all that is posted to a receive queue of its own as flushed.
void responder_flush(Connectx* nic, Qp* qp);

#endif
