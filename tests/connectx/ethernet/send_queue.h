// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Send queues of mlx5e, whose requests are frames.
#ifndef VRDMA_CONNECTX_ETHERNET_SEND_QUEUE_H
#define VRDMA_CONNECTX_ETHERNET_SEND_QUEUE_H

#include "connectx/objects/qp.h"

// Sends what is posted, or a part of it; the rest follows by a bottom half, whose argument is the
// adapter.
void send_queue_run(Connectx* nic, Qp* queue);
void send_queues_run(void* nic);

Handler send_queue_create, send_queue_modify, send_queue_query, send_queue_destroy;

#endif
