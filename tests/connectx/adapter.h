// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// The adapter without the PCI device around it: the tables of its objects, its transport and its
// network.  The properties, the log and the BAR are device.c's.
#ifndef VRDMA_CONNECTX_ADAPTER_H
#define VRDMA_CONNECTX_ADAPTER_H

#include "connectx/connectx.h"

void adapter_init(Connectx* nic);

// As a function-level reset leaves it; adapter_init() needs one behind it.
void adapter_reset(Connectx* nic);

void adapter_free(Connectx* nic);

#endif
