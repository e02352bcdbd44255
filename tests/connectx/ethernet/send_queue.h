// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Send queues of mlx5e.  Their requests complete; their frames go nowhere.
#ifndef VRDMA_CONNECTX_ETHERNET_SEND_QUEUE_H
#define VRDMA_CONNECTX_ETHERNET_SEND_QUEUE_H

#include "connectx/objects/qp.h"

// Takes what is posted.
void send_queue_run(Connectx* nic, Qp* queue);

Handler send_queue_create, send_queue_modify, send_queue_destroy;

#endif
