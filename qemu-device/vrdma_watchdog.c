/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_watchdog.h"

#include <fcntl.h>
#include <glib.h>
#include <sys/socket.h>
#include <unistd.h>

struct VRdmaWatchdog {
    unsigned seconds;
    GMutex lock;                /* guards what follows */
    GCond changed;
    bool ends;
    unsigned depth;             /* pairs of arm and disarm that are open */
    int socket;                 /* a duplicate: QEMU may close its own meanwhile; or -1 */
    gint64 deadline;            /* of the monotonic clock, in microseconds */
    bool has_bitten;
    GThread *thread;
};

static void *watch(void *opaque)
{
    VRdmaWatchdog *watchdog = opaque;

    g_mutex_lock(&watchdog->lock);
    while (!watchdog->ends) {
        if (watchdog->socket < 0 || watchdog->has_bitten) {
            g_cond_wait(&watchdog->changed, &watchdog->lock);
        } else if (g_get_monotonic_time() >= watchdog->deadline) {
            watchdog->has_bitten = true;
            shutdown(watchdog->socket, SHUT_RDWR);
        } else {
            g_cond_wait_until(&watchdog->changed, &watchdog->lock, watchdog->deadline);
        }
    }
    g_mutex_unlock(&watchdog->lock);
    return NULL;
}

VRdmaWatchdog *vrdma_watchdog_new(unsigned seconds)
{
    VRdmaWatchdog *watchdog = g_new0(VRdmaWatchdog, 1);

    watchdog->seconds = seconds;
    watchdog->socket = -1;
    g_mutex_init(&watchdog->lock);
    g_cond_init(&watchdog->changed);
    if (seconds) {
        watchdog->thread = g_thread_new("vrdma-watchdog", watch, watchdog);
    }
    return watchdog;
}

void vrdma_watchdog_free(VRdmaWatchdog *watchdog)
{
    if (!watchdog) {
        return;
    }
    g_mutex_lock(&watchdog->lock);
    watchdog->ends = true;
    g_cond_signal(&watchdog->changed);
    g_mutex_unlock(&watchdog->lock);
    if (watchdog->thread) {
        g_thread_join(watchdog->thread);
    }
    if (watchdog->socket >= 0) {
        close(watchdog->socket);
    }
    g_mutex_clear(&watchdog->lock);
    g_cond_clear(&watchdog->changed);
    g_free(watchdog);
}

void vrdma_watchdog_arm(VRdmaWatchdog *watchdog, int socket)
{
    g_mutex_lock(&watchdog->lock);
    if (watchdog->depth++ == 0 && watchdog->seconds && socket >= 0) {
        watchdog->socket = fcntl(socket, F_DUPFD_CLOEXEC, 0);
        watchdog->deadline = g_get_monotonic_time() + watchdog->seconds * G_TIME_SPAN_SECOND;
        watchdog->has_bitten = false;
        g_cond_signal(&watchdog->changed);
    }
    g_mutex_unlock(&watchdog->lock);
}

bool vrdma_watchdog_disarm(VRdmaWatchdog *watchdog)
{
    bool has_bitten;

    g_mutex_lock(&watchdog->lock);
    has_bitten = watchdog->has_bitten;
    if (--watchdog->depth == 0) {
        if (watchdog->socket >= 0) {
            close(watchdog->socket);
        }
        watchdog->socket = -1;
        watchdog->has_bitten = false;
    }
    g_mutex_unlock(&watchdog->lock);
    return has_bitten;
}
