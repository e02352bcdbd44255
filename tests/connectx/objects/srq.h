// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Receive queues that queue pairs share: RMPs, which mlx5_ib makes of basic SRQs, and XRC SRQs.
#ifndef VRDMA_CONNECTX_OBJECTS_SRQ_H
#define VRDMA_CONNECTX_OBJECTS_SRQ_H

#include "connectx/command.h"
#include "connectx/dma.h"

enum { kRmpContext = 240 };

typedef struct {
    uint32_t number, pd;
    bool is_xrc;  // then it has a domain, and completes in a queue of its own
    uint32_t xrcd, cq, user_index;
    Buffer buffer;
    unsigned log_size, log_stride;  // the stride in bytes
    uint64_t doorbell_record;
    uint16_t next;   // the element of the list that is taken next
    uint16_t taken;  // elements so far
    uint16_t limit;  // an event when fewer are left, 0 for none
    unsigned users;
    uint8_t context[kRmpContext];  // rmpc, as the driver gave it
} Srq;

void srq_free(void* srq);

// The next receive request: its index, and as much of it as `request` has room for.  False if there
// is none.
bool srq_take(Connectx* nic, Srq* srq, uint16_t* index, uint8_t* request, size_t size);

Handler srq_create_rmp, srq_modify_rmp, srq_query_rmp, srq_create_xrc, srq_destroy;

#endif
