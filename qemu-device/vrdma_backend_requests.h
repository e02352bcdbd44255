/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The back channel: requests from the backend to QEMU ("back-end originated
 * messages" of the vhost-user protocol), served by a thread of its own.
 *
 * The QEMU versions that this module is for do not know SHMEM_MAP and
 * SHMEM_UNMAP, so the module opens a channel beside QEMU's own and hands its
 * end to the backend with a second SET_BACKEND_REQ_FD.  The thread needs no lock
 * of QEMU's: the backend gets its answer even while QEMU's main thread waits
 * for the backend.
 */
#ifndef VRDMA_BACKCHANNEL_H
#define VRDMA_BACKCHANNEL_H

#include "qemu/osdep.h"
#include "vrdma_shm.h"

typedef struct VRdmaBackChannel VRdmaBackChannel;

/*
 * Starts to serve; *peer is the descriptor to give to the backend, and the
 * caller closes its copy.  config_changed is called in the channel's thread.
 */
VRdmaBackChannel *vrdma_backchannel_new(VRdmaWindow *window, void (*config_changed)(void *),
                                        void *opaque, int *peer, Error **errp);

/* Ends the channel; when it returns no request is being served any more. */
void vrdma_backchannel_free(VRdmaBackChannel *channel);

#endif
