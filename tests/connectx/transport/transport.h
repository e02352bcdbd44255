// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What moves messages between queue pairs.  loopback.c does it within the adapter, message by
// message; another implementation has requester.h and responder.h to work with, and this to offer.
#ifndef VRDMA_CONNECTX_TRANSPORT_TRANSPORT_H
#define VRDMA_CONNECTX_TRANSPORT_TRANSPORT_H

#include "connectx/objects/qp.h"

// Sends what is posted, in the state that the queue pair has: its doorbell was rung, or it became
// ready to send.
void transport_run(Connectx* nic, Qp* qp);

// The adapter's timer, whose argument is the adapter: goes on with what waits.
void transport_tick(void* nic);

#endif
