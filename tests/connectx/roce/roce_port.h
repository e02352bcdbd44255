/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * A port between the transport and the network: packets for this port itself stay in the device,
 * the others become frames.
 */
#ifndef ROCE_PORT_H
#define ROCE_PORT_H

#include "roce_frame.h"
#include "roce_transport.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct RocePort RocePort;

typedef struct RocePortOps {
    /* Whether the destination of `address` is this port: `dgid` with Ethernet; with InfiniBand
     * `dlid`, and `dgid` if it is `global`. */
    bool (*is_here)(void* device, const RoceAddress* address);
    /* Whether the network takes a frame now. */
    bool (*frame_ready)(void* device);
    /* Sends a frame.  The network may lose it. */
    void (*send_frame)(void* device, const uint8_t* frame, size_t size);
} RocePortOps;

/* `device` is what the callbacks get; `ethernet` as the transport's. */
RocePort* roce_port_new(const RocePortOps* ops, void* device, bool ethernet);
void roce_port_free(RocePort* port);

/* What the device's ready() and transmit() say and do. */
bool roce_port_ready(const RocePort* port);
void roce_port_transmit(RocePort* port, const RoceAddress* address, const uint8_t* packet,
                        size_t size);

/*
 * Gives packets that stayed in the device to their receiver, a bounded number of them.  The device
 * calls it before each roce_run().  Returns whether there are more.
 */
bool roce_port_run(RocePort* port, RoceTransport* transport);

/* What a frame is: of RoCE v2 on an Ethernet port, of ib_frame.h on an InfiniBand port. */
RoceFrameKind roce_port_judge(const RocePort* port, const uint8_t* frame, size_t size);

/* A frame came.  kRoceFrameOther: it is for the host's network. */
RoceFrameKind roce_port_receive(RocePort* port, RoceTransport* transport, const uint8_t* frame,
                                size_t size);

#ifdef __cplusplus
}
#endif

#endif
