/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The chardev of the backend's socket: the first connection, and those after it.
 */
#ifndef VRDMA_SOCKET_H
#define VRDMA_SOCKET_H

#include "qemu/osdep.h"
#include "chardev/char-fe.h"

/*
 * Connects the chardev if it is not connected.  A chardev with a reconnect option of its own,
 * or one that listens, is waited for, which the log says; with now, or without such an
 * option, failure is reported at once.
 */
bool vrdma_socket_connect(CharBackend *chardev, bool now, Error **errp);

/*
 * Has the chardev connect again each time that the backend closes the connection.  A chardev
 * that has a reconnect option of its own, or listens, is left as it is.
 */
void vrdma_socket_keep_connected(CharBackend *chardev);

/* The descriptor of the connection, or -1 while there is none. */
int vrdma_socket_fd(CharBackend *chardev);

#endif
