/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/* Frames of RoCE v2: Ethernet, IPv4 or IPv6, UDP, a packet, the invariant CRC. */
#ifndef ROCE_FRAME_H
#define ROCE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet.h"
#include "roce_address.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    kRoceUdpPort = 4791,
    kRoceMaxFrame = 18 + 40 + 8 + kRoceMaxPacket + 4,
};

/*
 * Writes the frame that carries the packet of `size` bytes (from roce_packet_finish()) between
 * the two ends of `address`, by IPv4 when both GIDs are IPv4 addresses.  `frame` has room for
 * kRoceMaxFrame.  Returns the frame's size, 0 when the packet is too large.
 */
size_t roce_frame_build(const RoceAddress* address, const uint8_t* packet, size_t size,
                        uint8_t* frame);

typedef enum RoceFrameKind {
    kRoceFrameOther, /* of another protocol: the host's network takes it */
    /* Meant for RDMA, and malformed, with a wrong CRC, or for another port: nobody takes it. */
    kRoceFrameBad,
    kRoceFrameGood,
} RoceFrameKind;

/* Takes a frame apart: where it is from and for, and the packet in it, without the CRC. */
RoceFrameKind roce_frame_parse(const uint8_t* frame, size_t size, RoceAddress* address,
                               const uint8_t** packet, size_t* packet_size);

#ifdef __cplusplus
}
#endif

#endif
