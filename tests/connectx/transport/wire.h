// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Frames of RDMA between the transport's port and the network, with the faults that the adapter's
// properties ask for.
#ifndef VRDMA_CONNECTX_TRANSPORT_WIRE_H
#define VRDMA_CONNECTX_TRANSPORT_WIRE_H

#include "connectx/connectx.h"

void wire_init(Connectx* nic);
void wire_free(Connectx* nic);

// What the port asks for (roce/roce_port.h); the device is a Connectx.
bool wire_ready(void* device);
void wire_send(void* device, const uint8_t* frame, size_t size);

// Gives a frame that came to the port.  False if it is none of RDMA.
bool wire_receive(Connectx* nic, const uint8_t* frame, size_t size);

#endif
