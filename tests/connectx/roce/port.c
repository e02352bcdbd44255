/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "roce_port.h"

#include <glib.h>

#include "ib_frame.h"

enum {
    LOOP_READY = 256,  /* packets in the device before the transport waits */
    LOOP_LIMIT = 1024, /* acknowledgements do not wait, and are lost beyond this */
    LOOP_RUN = 256,
};

typedef struct Looped {
    RoceAddress address;
    size_t size;
    uint8_t packet[];
} Looped;

struct RocePort {
    const RocePortOps* ops;
    void* device;
    bool ethernet;
    GQueue looped;
    uint8_t frame[MAX(kRoceMaxFrame, kIbMaxFrame)];
};

RocePort* roce_port_new(const RocePortOps* ops, void* device, bool ethernet) {
    RocePort* port = g_new0(RocePort, 1);

    port->ops = ops;
    port->device = device;
    port->ethernet = ethernet;
    g_queue_init(&port->looped);
    return port;
}

void roce_port_free(RocePort* port) {
    g_queue_clear_full(&port->looped, g_free);
    g_free(port);
}

bool roce_port_ready(const RocePort* port) {
    return port->looped.length < LOOP_READY && port->ops->frame_ready(port->device);
}

static void loop(RocePort* port, const RoceAddress* address, const uint8_t* packet, size_t size) {
    Looped* looped;

    if (port->looped.length >= LOOP_LIMIT) {
        return;
    }
    looped = g_malloc(sizeof(*looped) + size);
    looped->address = *address;
    looped->size = size;
    roce_address_fill_header(&looped->address, port->ethernet, (uint32_t)size);
    memcpy(looped->packet, packet, size);
    g_queue_push_tail(&port->looped, looped);
}

static bool is_group(const RocePort* port, const RoceAddress* address) {
    if (!port->ethernet) {
        return !ib_lid_is_unicast(address->dlid);
    }
    return roce_gid_is_multicast(address->dgid);
}

void roce_port_transmit(RocePort* port, const RoceAddress* address, const uint8_t* packet,
                        size_t size) {
    const bool group = is_group(port, address);
    size_t bytes;

    if (!port->ethernet && !ib_address_is_valid(address)) {
        return;
    }
    if (group || port->ops->is_here(port->device, address)) {
        loop(port, address, packet, size);
        if (!group) {
            return;
        }
    }
    bytes = port->ethernet ? roce_frame_build(address, packet, size, port->frame)
                           : ib_frame_build(address, packet, size, port->frame);
    if (bytes) {
        port->ops->send_frame(port->device, port->frame, bytes);
    }
}

bool roce_port_run(RocePort* port, RoceTransport* transport) {
    for (unsigned i = 0; i < LOOP_RUN; i++) {
        Looped* looped = g_queue_pop_head(&port->looped);

        if (!looped) {
            return false;
        }
        roce_receive(transport, &looped->address, looped->packet, looped->size);
        g_free(looped);
    }
    return port->looped.length != 0;
}

static RoceFrameKind parse(const RocePort* port, const uint8_t* frame, size_t size,
                           RoceAddress* address, const uint8_t** packet, size_t* packet_size) {
    return port->ethernet ? roce_frame_parse(frame, size, address, packet, packet_size)
                          : ib_frame_parse(frame, size, address, packet, packet_size);
}

RoceFrameKind roce_port_judge(const RocePort* port, const uint8_t* frame, size_t size) {
    const uint8_t* packet;
    RoceAddress address;
    size_t packet_size;

    return parse(port, frame, size, &address, &packet, &packet_size);
}

RoceFrameKind roce_port_receive(RocePort* port, RoceTransport* transport, const uint8_t* frame,
                                size_t size) {
    const uint8_t* packet;
    RoceAddress address;
    size_t packet_size;
    const RoceFrameKind kind = parse(port, frame, size, &address, &packet, &packet_size);

    if (kind != kRoceFrameGood) {
        return kind;
    }
    /* A switch sends frames to every port when it does not know better. */
    if (!is_group(port, &address) && !port->ops->is_here(port->device, &address)) {
        return kRoceFrameBad;
    }
    roce_receive(transport, &address, packet, packet_size);
    return kind;
}
