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
    kBinding = 0x06,
    kBadResponse = 0x10,
    kLocalAccess = 0x11,
    kRemoteInvalid = 0x12,
    kRemoteAccess = 0x13,
    kRemoteOperation = 0x14,
    kRetriesExceeded = 0x15,
    kRnrRetriesExceeded = 0x16,
} Syndrome;

// Where a receive request completes, and as which.
typedef struct {
    uint32_t cq, user_index;
    uint16_t index;
} Slot;

// What a message brought to a receive request.
typedef struct {
    unsigned opcode;           // kCqeSend and its like
    const uint8_t* immediate;  // four bytes, or NULL
    bool solicited;
    uint32_t source;  // the sender's number, and flags about its address (flags_rqpn)
    uint16_t lid;     // of the sender, with an InfiniBand port
    bool with_pkey;   // the entry has the partition key in the immediate's place
    uint16_t pkey;
    bool tagged;  // the frame had a tag, with `vlan` in it
    uint16_t vlan;
} Arrival;

void complete_request(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode, uint32_t bytes);
void complete_error(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode, Syndrome syndrome);

// The receive requests of a queue pair complete so, but for those of an XRC SRQ.
Slot slot_of(const Qp* qp, uint16_t index);
void complete_receive(Connectx* nic, const Qp* qp, const Slot* slot, uint32_t bytes,
                      const Arrival* arrival);
void complete_receive_error(Connectx* nic, const Qp* qp, const Slot* slot, Syndrome syndrome);

// A frame that came, as the Ethernet side's driver wants to know it.
typedef struct {
    uint32_t bytes;
    bool tagged;  // the tag is here instead of in the frame
    uint16_t tag;
    unsigned version;                           // of IP, or 0
    uint8_t transport;                          // kind of the header behind it (CQE_L4_HDR_TYPE_*)
    bool network_is_right, transport_is_right;  // checksums
    uint16_t sum;                               // of the IP packet
} FrameArrival;

void complete_arrival(Connectx* nic, const Slot* slot, const FrameArrival* arrival);

// A request of the Ethernet side.
void complete_frame(Connectx* nic, const Qp* qp, uint16_t index, uint8_t opcode);

#endif
