/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The connection to the vhost-user backend, from its handshake to its loss.
 * Everything here runs in QEMU's main thread or under its big lock.  Nothing waits longer for
 * the backend than the property backend-timeout says: the connection is cut off then, and what
 * follows is as if the backend had closed it.
 */
#ifndef VRDMA_BACKEND_H
#define VRDMA_BACKEND_H

#include "vrdma_device.h"

/*
 * Negotiates over the socket, which is connected, checks that the backend is one for this
 * device, tells it the shared memory region's size and gives it the channel of
 * back-end requests.  Afterwards s->config and s->vhost_dev.features are the
 * backend's.
 */
bool vrdma_backend_connect(VRdma *s, Error **errp);

/*
 * Stops the rings, ends the channel of back-end requests, forgets the backend and
 * empties the shared memory region.
 */
void vrdma_backend_disconnect(VRdma *s);

/*
 * Has the backend free all that the guest created, and empties the shared memory region.
 * When it returns the backend is done: no request from before the reset can come.
 * With told, RESET_DEVICE has been sent already, and only its effect is waited for.
 */
void vrdma_backend_reset(VRdma *s, bool told);

/* Fetches the configuration space again. */
bool vrdma_backend_refresh_config(VRdma *s, Error **errp);

/* The features that the backend has, among QEMU's ring features and the device's own. */
uint64_t vrdma_backend_features(VRdma *s, uint64_t features);

/* Hands the rings to the backend, and takes them back. */
bool vrdma_backend_start(VRdma *s);
void vrdma_backend_stop(VRdma *s);

/* Masks or unmasks the interrupts of a queue: the backend gets another call eventfd. */
void vrdma_backend_mask(VRdma *s, int index, bool mask);

#endif
