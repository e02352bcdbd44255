// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What moves messages between queue pairs: the RoCE transport of ../roce, which has the adapter's
// queues, keys and addresses by callbacks.h.
#ifndef VRDMA_CONNECTX_TRANSPORT_TRANSPORT_H
#define VRDMA_CONNECTX_TRANSPORT_TRANSPORT_H

#include "connectx/objects/qp.h"

void transport_init(Connectx* nic);
// No queue pair, no packet; all queue pairs are freed before.
void transport_reset(Connectx* nic);
void transport_free(Connectx* nic);

// A queue pair that has been made can be moved from its reset state.  False if it cannot: a second
// one for general services.
bool transport_add(Connectx* nic, Qp* qp);

// Moves the queue pair to a state, with the attributes that its context has.  False, with its state
// as it was, if these make no sense.
bool transport_move(Connectx* nic, Qp* qp, QpState state);

// Lets a queue pair for datagrams join or leave the group with a GID.  False if it is there
// already, or is not.
bool transport_change_group(const Qp* qp, const uint8_t* gid, bool joins);

// Its doorbell was rung.
void transport_ring(Connectx* nic, Qp* qp);

// A frame came.  Whether it is one of RoCE: the others are for the Ethernet side.
bool transport_receive(Connectx* nic, const uint8_t* frame, size_t size);

// The network takes frames again.
void transport_resume(Connectx* nic);

// QUERY_Q_COUNTER: one set of counters has all queue pairs.
Handler transport_query_counters;

// Writes into a context, as a query shows it, what packets have changed.
void transport_query(const Qp* qp, uint8_t* context);

// A line of the log with what came of packets so far.
void transport_log_counters(Connectx* nic);

#endif
