// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// What flow tables compare of a frame, in the layout of fte_match_param.
#ifndef VRDMA_CONNECTX_ETHERNET_FLOW_KEY_H
#define VRDMA_CONNECTX_ETHERNET_FLOW_KEY_H

#include "connectx/connectx.h"
#include "connectx/frames/headers.h"
#include "connectx/ifc.h"

typedef struct {
    uint8_t bytes[IFC_BYTES(fte_match_param)];
} FlowKey;

// The outer headers of a frame.  What tunnels carry is not looked into: it is all zeros.
void flow_key_make(const uint8_t* frame, const Headers* headers, FlowKey* key);

// Whether the key has the value where the mask is set.
bool flow_key_matches(const FlowKey* key, const FlowKey* mask, const FlowKey* value);

#endif
