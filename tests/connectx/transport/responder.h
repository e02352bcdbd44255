// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The receiving end of a queue pair: receive requests, and memory that its peer reaches.
#ifndef VRDMA_CONNECTX_TRANSPORT_RESPONDER_H
#define VRDMA_CONNECTX_TRANSPORT_RESPONDER_H

#include "connectx/objects/mkey.h"
#include "connectx/transport/completion.h"

enum { kReceiveBytes = 512 };

// A receive request that was taken, and how far it is filled.
typedef struct {
    uint16_t index;
    uint32_t pd;
    uint8_t bytes[kReceiveBytes];
    size_t end, segment;
    uint64_t done;  // of the segment
    uint64_t filled;
} Receive;

// Takes the next receive request.  False if there is none.
bool responder_take(Connectx* nic, Qp* qp, Receive* receive);

// Puts the next bytes of a message where the request says: kSuccess, kLocalProtection or
// kLocalLength.
Syndrome responder_fill(Connectx* nic, Receive* receive, const void* data, size_t size);

// The message is over.  An error ends the queue pair.
void responder_complete(Connectx* nic, Qp* qp, const Receive* receive, Syndrome syndrome,
                        uint32_t bytes, const Arrival* arrival);

// Whether the queue pair lets its peer reach all of a message's memory.  A refusal ends the queue
// pair.
bool responder_allows(Connectx* nic, Qp* qp, uint32_t key, uint64_t address, uint64_t size,
                      Direction direction, Access access);

// Ends all that is posted to a receive queue of its own as flushed.
void responder_flush(Connectx* nic, Qp* qp);

#endif
