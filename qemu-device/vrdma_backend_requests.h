/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The channel of back-end requests, which the backend sends to QEMU (vhost-user:
 * "back-end message types").  A thread of its own serves it.
 *
 * The QEMU versions that this module is for do not know SHMEM_MAP and
 * SHMEM_UNMAP, so the module opens a channel beside QEMU's own and hands one
 * end to the backend with a second SET_BACKEND_REQ_FD.  The thread takes no lock
 * of QEMU's: the backend gets its answer even while QEMU's main thread waits
 * for the backend.
 */
#ifndef VRDMA_BACKEND_REQUESTS_H
#define VRDMA_BACKEND_REQUESTS_H

#include "qemu/osdep.h"
#include "vrdma_shm.h"

typedef struct VRdmaBackendRequests VRdmaBackendRequests;

/*
 * Starts to serve; *peer is the descriptor to give to the backend, and the
 * caller closes its copy.  config_changed is called in the channel's thread.
 */
VRdmaBackendRequests *vrdma_backend_requests_new(VRdmaShm *shm, void (*config_changed)(void *),
                                                 void *opaque, int *peer, Error **errp);

/*
 * Serves no request any more, and waits in the channel's thread until the backend has closed its
 * end, as it does when it has let go of all that it had from this connection, or has ended. on_end
 * is called then, in the channel's thread or in this call, and nothing else is called from now on.
 */
void vrdma_backend_requests_leave(VRdmaBackendRequests *channel, void (*on_end)(void *),
                                  void *opaque);

/* Whether the backend has closed its end. */
bool vrdma_backend_requests_ended(VRdmaBackendRequests *channel);

/* Ends the channel; when it returns no request is being served any more. */
void vrdma_backend_requests_free(VRdmaBackendRequests *channel);

#endif
