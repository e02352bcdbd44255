// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// BAR 0: the initialization segment and the UAR pages.
#ifndef VRDMA_CONNECTX_BAR_H
#define VRDMA_CONNECTX_BAR_H

#include "connectx/connectx.h"

extern const MemoryRegionOps kBarOps;  // their opaque is the adapter

// The end of a burst that did not fill; the argument is the adapter.
void bar_burst_ends(void* nic);

#endif
