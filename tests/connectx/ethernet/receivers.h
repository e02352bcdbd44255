// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Where flow tables send frames to: TIRs, which have a receive queue, or a table of them (RQT).
#ifndef VRDMA_CONNECTX_ETHERNET_RECEIVERS_H
#define VRDMA_CONNECTX_ETHERNET_RECEIVERS_H

#include "connectx/command.h"
#include "connectx/frames/headers.h"

// Gives a frame to the receive queue that a TIR chooses.
void receiver_put(Connectx* nic, uint32_t tir, const uint8_t* frame, size_t size,
                  const Headers* headers);

Handler tir_create, tir_modify, tir_destroy, rqt_create, rqt_modify, rqt_destroy;

#endif
