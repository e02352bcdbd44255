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
    kLargeSend = 0x0e,  // frames that are segments of one message
    kRead = 0x10,
    kCompareSwap = 0x11,
    kFetchAdd = 0x12,
    kChangeKey = 0x25,  // UMR
} Opcode;

enum { kRequestBytes = 1024 };

// A request points into itself: it is not copied.
typedef struct {
    uint16_t index;   // of its first block of 64 bytes
    uint16_t blocks;  // that it has in the ring
    uint8_t opcode;
    bool signaled, solicited, fence;
    bool refused;              // it is no request, and completes as an invalid operation
    const uint8_t* immediate;  // four bytes, or NULL; a key for kSendInvalidate
    const uint8_t* path;       // of a datagram (struct mlx5_wqe_av of libmlx5)
    uint32_t srq;              // XRC: the peer's shared receive queue
    uint64_t remote_address;
    uint32_t remote_key;
    uint64_t swap_add, compare;
    uint64_t length;  // of its data segments

    uint8_t bytes[kRequestBytes];
    size_t data, end;  // of the data segments
} Request;

// Takes the next request that is posted.  False if there is none; what is no request is a
// violation, and is `refused`.
bool requester_take(Connectx* nic, Qp* qp, Request* request);

// Whether a request is posted that was not taken.
bool requester_has(Connectx* nic, const Qp* qp);

// Copies `size` bytes at an offset of the message out of, or into, the memory that the request
// names.  False if a key does not allow that, or the request is shorter.
bool request_copy(Connectx* nic, const Qp* qp, const Request* request, uint64_t offset, void* data,
                  size_t size, Direction direction);

// The oldest request that was taken is over.
void requester_complete(Connectx* nic, Qp* qp, const Request* request, Syndrome syndrome,
                        uint32_t bytes);

// Executes kChangeKey: changes the memory key that the request names.
Syndrome request_change_key(Connectx* nic, const Qp* qp, const Request* request);

// Ends all that is posted as flushed; what was taken is completed.
void requester_flush(Connectx* nic, Qp* qp);

#endif
