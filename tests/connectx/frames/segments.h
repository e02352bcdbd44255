// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What mlx5e leaves to its adapter: the checksums of a frame, and the segments of a large message.
#ifndef VRDMA_CONNECTX_FRAMES_SEGMENTS_H
#define VRDMA_CONNECTX_FRAMES_SEGMENTS_H

#include "connectx/frames/headers.h"

#ifdef __cplusplus
extern "C" {
#endif

// Which checksums the adapter writes: that of the IP header, that of TCP or UDP.
typedef struct {
    bool network, transport;
} Checksums;

typedef void FrameSend(void* opaque, const uint8_t* frame, size_t size);

// Sends a frame with its checksums.
void frame_send(uint8_t* frame, size_t size, Checksums checksums, FrameSend* send, void* opaque);

// Sends a message of TCP as segments with up to `most` bytes of data each.  The message has its
// headers in its first `header_bytes`, whose lengths do not count.  False, and nothing is sent, if
// it is no such message.
bool segments_send(uint8_t* message, size_t header_bytes, size_t size, unsigned most,
                   Checksums checksums, FrameSend* send, void* opaque);

#ifdef __cplusplus
}
#endif

#endif
