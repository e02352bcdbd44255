// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Entries of completion queues, as queue pairs have them.
#ifndef VRDMA_CONNECTX_TRANSPORT_COMPLETION_H
#define VRDMA_CONNECTX_TRANSPORT_COMPLETION_H

#include "connectx/objects/qp.h"

// Syndromes of completions with errors (MLX5_CQE_SYNDROME_* of <linux/mlx5/device.h>).
typedef enum {
    kSuccess = 0,
    kLocalLength = 0x01,
    kLocalOperation = 0x02,
    kLocalProtection = 0x04,
    kFlushed = 0x05,
    kRemoteInvalid = 0x12,
    kRemoteAccess = 0x13,
    kRemoteOperation = 0x14,
    kRetriesExceeded = 0x15,
    kRnrRetriesExceeded = 0x16,
} Syndrome;

// What a message brought to a receive request.
typedef struct {
    unsigned opcode;           // kCqeSend and its like
    const uint8_t* immediate;  // four bytes, or NULL
    bool solicited;
    uint32_t source;  // the sender's number, and flags about its address (flags_rqpn)
    uint16_t lid;     // of the sender, with an InfiniBand port
    bool with_pkey;   // the entry has the partition key in the immediate's place
    uint16_t pkey;
} Arrival;

void complete_request(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode, uint32_t bytes);
void complete_receive(Connectx* nic, const Qp* qp, uint16_t index, uint32_t bytes,
                      const Arrival* arrival);
void complete_error(Connectx* nic, const Qp* qp, bool requester, uint16_t index, uint8_t opcode,
                    Syndrome syndrome);

// A request of the Ethernet side.
void complete_frame(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode);

#endif
