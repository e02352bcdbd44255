// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// Memory windows: keys of a part of a region's memory, which programs bind by work requests.
#ifndef VRDMA_CONNECTX_OBJECTS_WINDOW_H
#define VRDMA_CONNECTX_OBJECTS_WINDOW_H

#include "connectx/objects/qp.h"

// Binds a window, or takes its memory away, as a queue pair of a program asks: `segments` is struct
// mlx5_wqe_umr_ctrl_seg and what follows it.  False, with a line in the log, if the window is not
// one that the queue pair may change, or its memory is not that of a region that allows it.
bool window_change(Connectx* nic, const Qp* qp, uint32_t key, const uint8_t* segments, size_t size);

// Whether the peer of a queue pair may use a key at all: the key of a window of type 2 is for the
// queue pair that bound it alone (IBA 10.6.7.2.2).
bool window_serves(Connectx* nic, const Qp* qp, uint32_t key);

#endif
