// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Work requests of a send queue: taken from its ring, and completed.
#ifndef VRDMA_CONNECTX_TRANSPORT_REQUESTER_H
#define VRDMA_CONNECTX_TRANSPORT_REQUESTER_H

#include "connectx/transport/completion.h"

// MLX5_OPCODE_* of <linux/mlx5/device.h>.
typedef enum {
    kNop = 0x00,
    kSendInvalidate = 0x01,
    kWrite = 0x08,
    kWriteImmediate = 0x09,
    kSend = 0x0a,
    kSendImmediate = 0x0b,
    kRead = 0x10,
    kCompareSwap = 0x11,
    kFetchAdd = 0x12,
    kChangeKey = 0x25,  // UMR
} Opcode;

// Places in a datagram's address (struct mlx5_av of libmlx5).
enum {
    kPathQkey = 0,
    kPathQp = 8,
    kPathLid = 14,
    kPathGidAndFlow = 28,
    kPathGid = 32,
    kPathBytes = 48,
    kPathHasGrh = 1 << 30,  // in kPathGidAndFlow
    kRequestBytes = 1024,
};

typedef struct {
    uint16_t index;  // of its first block of 64 bytes
    uint8_t opcode;
    bool signaled, solicited;
    const uint8_t* immediate;  // four bytes, or NULL; a key for kSendInvalidate
    const uint8_t* path;       // of a datagram
    uint64_t remote_address;
    uint32_t remote_key;
    uint64_t swap_add, compare;
    uint64_t length;  // of its data segments

    // The request itself, and how far its data are.
    uint8_t bytes[kRequestBytes];
    size_t end, segment;
    uint64_t done;  // of the segment
} Request;

// The next request that is posted.  False if there is none; what is no request puts the queue pair
// into the error state.
bool requester_take(Connectx* nic, Qp* qp, Request* request);

// Copies the next bytes out of, or into, the memory that the request names.  False if a key does
// not allow that.
bool request_copy(Connectx* nic, const Qp* qp, Request* request, void* data, size_t size,
                  Direction direction);

// The request is over.  An error ends the queue pair.
void requester_complete(Connectx* nic, Qp* qp, const Request* request, Syndrome syndrome,
                        uint32_t bytes);

// Executes kChangeKey: changes the memory key that the request names.  False if it cannot.
bool request_change_key(Connectx* nic, const Request* request);

// Ends all that is posted as flushed.
void requester_flush(Connectx* nic, Qp* qp);

#endif
