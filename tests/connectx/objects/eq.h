// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Event queues: what the adapter tells the driver, with an interrupt where the driver asked for it.
#ifndef VRDMA_CONNECTX_OBJECTS_EQ_H
#define VRDMA_CONNECTX_OBJECTS_EQ_H

#include "connectx/command.h"
#include "connectx/dma.h"

// enum mlx5_event of <linux/mlx5/device.h>.
typedef enum {
    kEventCompletion = 0x00,
    kEventEstablished = 0x02,
    kEventDrained = 0x03,
    kEventCqError = 0x04,
    kEventFatal = 0x05,
    kEventCommand = 0x0a,
    kEventInvalidRequest = 0x10,
    kEventAccessError = 0x11,
    kEventLastWqe = 0x13,
    kEventSrqLimit = 0x14,
} Event;

typedef struct {
    uint32_t number;
    Buffer buffer;
    unsigned log_size, vector, uar;
    uint64_t mask[4];  // of the events that it takes
    uint32_t producer, consumer;
    bool armed;
} Eq;

void eq_free(void* eq);

// The queue that takes an event, NULL if none does.
Eq* eq_of_event(Connectx* nic, Event event);

// Writes an entry whose data begin with some bytes.
void eq_post(Connectx* nic, Eq* eq, Event event, const void* data, size_t size);

// Tells the driver of something that happened to the object with a number.
void eq_post_object(Connectx* nic, Event event, uint32_t number);

// A write to the doorbell of event queues in a UAR page.
void eq_doorbell(Connectx* nic, unsigned uar, uint32_t value, bool arm);

Handler eq_create, eq_destroy;

#endif
