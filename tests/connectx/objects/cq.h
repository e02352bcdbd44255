// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Completion queues.
#ifndef VRDMA_CONNECTX_OBJECTS_CQ_H
#define VRDMA_CONNECTX_OBJECTS_CQ_H

#include "connectx/command.h"
#include "connectx/dma.h"

enum {
    kCqe = 64,
    kCqContext = 64,
    kCqeLast = 63,      // the byte with opcode, solicited event and owner
    kCqeSolicited = 2,  // in that byte
    kCqeRequest = 0,    // opcodes, the upper half of that byte
    kCqeWriteImmediate = 1,
    kCqeSend = 2,
    kCqeSendImmediate = 3,
    kCqeSendInvalidate = 4,
    kCqeResized = 5,
    kCqeRequesterError = 13,
    kCqeResponderError = 14,
};

typedef struct {
    uint32_t number, eq;
    Buffer buffer;
    unsigned log_size, entry_size, uar;
    uint64_t doorbell_record;
    uint32_t producer;
    uint32_t told;   // what the producer was at the last event
    unsigned users;  // queues that complete in it
    bool armed, solicited_only, overrun, may_overrun;
    uint8_t context[kCqContext];  // cqc, as the driver gave it
} Cq;

void cq_free(void* cq);

// Writes an entry, of which the last byte has no owner bit yet.
void cq_post(Connectx* nic, uint32_t number, uint8_t* cqe);

// A write of 64 bits to the doorbell of completion queues in a UAR page: the queue is armed.
void cq_doorbell(Connectx* nic, unsigned uar, uint64_t value);

// A queue begins or ceases to complete in a CQ; false if there is no such CQ.
bool cq_use(Connectx* nic, uint32_t number);
void cq_unuse(Connectx* nic, uint32_t number);

Handler cq_create, cq_destroy, cq_query, cq_modify;

#endif
