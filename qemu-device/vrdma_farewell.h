/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * Holds the guest still until a backend that was cut off has let go of the guest's memory.
 *
 * A backend that does not answer may be stopped, and go on later: it has the guest's memory
 * mapped, may be in the middle of a command whose answer it writes there, and its RNIC goes on in
 * any case. A guest that was told that the device is reset takes this memory for other things. So
 * QEMU pauses the guest, as for a disk with werror=stop, and lets it go on when the backend has
 * closed its channel of back-end requests, which is the last thing that it does for a connection,
 * and what its end does.
 */
#ifndef VRDMA_FAREWELL_H
#define VRDMA_FAREWELL_H

#include "vrdma_backend_requests.h"

/*
 * Takes the channel over. It frees itself when the backend is gone, and needs no device until
 * then. Under QEMU's big lock, outside of vhost code.
 */
void vrdma_farewell_begin(VRdmaBackendRequests *channel);

/* Stops the virtual processor that runs this, if one does, until a farewell that follows ends. */
void vrdma_farewell_stop_processor(void);

#endif
