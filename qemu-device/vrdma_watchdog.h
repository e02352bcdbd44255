/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * Ends the connection to a backend that does not answer.
 *
 * QEMU's vhost-user code waits for answers without a bound, in its main thread or in a vCPU's,
 * under its big lock.  So a thread of its own shuts the socket down when the wait is too long: to
 * QEMU, the backend has closed it then.
 */
#ifndef VRDMA_WATCHDOG_H
#define VRDMA_WATCHDOG_H

#include <stdbool.h>

typedef struct VRdmaWatchdog VRdmaWatchdog;

/* Waits may last as many seconds; with 0, without end. */
VRdmaWatchdog *vrdma_watchdog_new(unsigned seconds);

/* NULL is allowed. */
void vrdma_watchdog_free(VRdmaWatchdog *watchdog);

/*
 * From vrdma_watchdog_arm() to vrdma_watchdog_disarm(), answers are waited for at this socket.
 * The pairs may nest; the outermost counts.  A socket that is -1 is not watched.
 */
void vrdma_watchdog_arm(VRdmaWatchdog *watchdog, int socket);

/* Returns true when the socket was shut down. */
bool vrdma_watchdog_disarm(VRdmaWatchdog *watchdog);

#endif
