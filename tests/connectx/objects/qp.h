// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Queue pairs, and the send queues of the Ethernet side, which share their numbers.
#ifndef VRDMA_CONNECTX_OBJECTS_QP_H
#define VRDMA_CONNECTX_OBJECTS_QP_H

#include "connectx/command.h"
#include "connectx/dma.h"

// States and types as qpc has them.
typedef enum { kRst, kInit, kRtr, kRts, kSqError, kSqDrained, kError } QpState;
typedef enum { kRc = 0, kUc = 1, kUd = 2, kXrc = 3, kSmi = 7, kGsi = 8, kUmr = 12 } QpType;
// rq_type of qpc.
enum { kOwnRq = 0, kSharedRq = 1, kNoRq = 3 };

enum { kQpContext = 232 };

typedef struct {
    uint32_t number;
    uint8_t context[kQpContext];  // qpc, as far as the driver has set it
    unsigned type, state, uar;
    Buffer buffer;
    unsigned rq_type, rq_log, rq_log_stride, sq_log;  // sizes in entries, the stride in bytes
    bool has_sq;
    uint64_t sq_at;  // in the buffer
    uint64_t doorbell_record;
    uint16_t sq_taken, sq_consumer;  // blocks of requests that were taken, and that are over
    uint16_t rq_consumer;
    uint32_t pd, remote;
    struct RoceQp* roce;  // NULL of the driver's for keys, and of the Ethernet side
    bool frames;          // a send queue of the Ethernet side
    uint32_t frames_cq;
    bool has_burst;
    uint8_t burst[kBurst];  // the beginning of a request, as BlueFlame brought it
} Qp;

#define QPC(qp, field) ((uint32_t)ifc_get((qp)->context, IFC_OFF(qpc, field), IFC_LEN(qpc, field)))

void qp_free(void* qp);

bool qp_is_datagram(const Qp* qp);

// The queue pair that a command is about, NULL after a line in the log if there is none.
Qp* qp_of_command(Connectx* nic, const Command* command);

#endif
