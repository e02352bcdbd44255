// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 the vrdma authors
// A request of mlx5e's as frames: headers in the request, the rest in memory, with what the driver
// leaves to the adapter: checksums, and segments of TCP.
#ifndef VRDMA_CONNECTX_ETHERNET_SEND_FRAMES_H
#define VRDMA_CONNECTX_ETHERNET_SEND_FRAMES_H

#include "connectx/transport/requester.h"

// Sends what the request has.  False, with a violation in the log, if it makes no sense.
bool send_frames(Connectx* nic, const Qp* queue, const Request* request);

#endif
