// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Receive queues of mlx5e.
#ifndef VRDMA_CONNECTX_ETHERNET_RECEIVE_QUEUE_H
#define VRDMA_CONNECTX_ETHERNET_RECEIVE_QUEUE_H

#include "connectx/command.h"
#include "connectx/frames/headers.h"

void receive_queue_free(void* queue);

// Puts a frame into the queue's next buffer.  It is lost if there is no such queue, it is not
// ready, or has no buffer.
void receive_queue_put(Connectx* nic, uint32_t number, const uint8_t* frame, size_t size,
                       const Headers* headers);

Handler receive_queue_create, receive_queue_modify, receive_queue_query, receive_queue_destroy;

#endif
