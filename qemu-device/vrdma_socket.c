/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_socket.h"

#include "chardev/char-socket.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "vrdma_compat.h"

/* NULL for a chardev of another kind. */
static SocketChardev *socket_of(CharBackend *chardev)
{
    return (SocketChardev *)object_dynamic_cast(OBJECT(qemu_chr_fe_get_driver(chardev)),
                                                TYPE_CHARDEV_SOCKET);
}

/* With the chardev's reconnect option QEMU's main thread would wait here without end. */
static bool connect_once(CharBackend *chardev, SocketChardev *socket, Error **errp)
{
    int64_t period = *vrdma_compat_reconnect_period(socket);
    int ret;

    *vrdma_compat_reconnect_period(socket) = 0;
    ret = qemu_chr_fe_wait_connected(chardev, errp);
    *vrdma_compat_reconnect_period(socket) = period;
    return ret >= 0;
}

bool vrdma_socket_connect(CharBackend *chardev, bool now, Error **errp)
{
    SocketChardev *socket = socket_of(chardev);
    Error *error = NULL;

    if (socket && !socket->is_listen) {
        if (connect_once(chardev, socket, &error)) {
            return true;
        }
        if (now || *vrdma_compat_reconnect_period(socket) == 0) {
            error_propagate(errp, error);
            return false;
        }
        warn_reportf_err(error, "vrdma: waiting for the backend: ");
    }
    return qemu_chr_fe_wait_connected(chardev, errp) >= 0;
}

void vrdma_socket_keep_connected(CharBackend *chardev)
{
    SocketChardev *socket = socket_of(chardev);

    if (socket && !socket->is_listen && *vrdma_compat_reconnect_period(socket) == 0) {
        *vrdma_compat_reconnect_period(socket) = VRDMA_RECONNECT_PERIOD;
    }
}

int vrdma_socket_fd(CharBackend *chardev)
{
    SocketChardev *socket = socket_of(chardev);

    return socket && socket->sioc ? socket->sioc->fd : -1;
}
