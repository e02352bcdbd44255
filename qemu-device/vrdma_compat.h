/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The differences between the QEMU versions that the device is built for.  Every
 * version test of the module is in this header.
 */
#ifndef VRDMA_COMPAT_H
#define VRDMA_COMPAT_H

#include "qemu/osdep.h"
#include "chardev/char-socket.h"
#include "hw/qdev-properties.h"
#include "hw/virtio/vhost.h"
#include "hw/virtio/vhost-backend.h"

#define VRDMA_QEMU_AT_LEAST(major, minor) \
    (QEMU_VERSION_MAJOR > (major) || \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR >= (minor)))

#if VRDMA_QEMU_AT_LEAST(10, 1)
#error "QEMU 10.1 and later: look at qemu-device/README.md, 'Adding a version'"
#endif

/* Property tables are constant and end without a mark since 10.0. */
#if VRDMA_QEMU_AT_LEAST(10, 0)
#define VRDMA_PROPERTY_TABLE const Property
#define VRDMA_PROPERTY_TABLE_END
#else
#define VRDMA_PROPERTY_TABLE Property
#define VRDMA_PROPERTY_TABLE_END DEFINE_PROP_END_OF_LIST()
#endif

/* VHOST_SET_CONFIG_TYPE_MASTER, renamed in 8.0: the frontend writes, no migration. */
#define VRDMA_SET_CONFIG_FRONTEND 0

/*
 * Since 8.2 virtio_reset() itself sends VHOST_USER_RESET_DEVICE to the backend
 * of a device that has get_vhost; before, each device had to.
 */
#define VRDMA_VIRTIO_RESETS_BACKEND VRDMA_QEMU_AT_LEAST(8, 2)

/* Directories were renamed in 10.0. */
#if VRDMA_QEMU_AT_LEAST(10, 0)
#define VRDMA_HOSTMEM_HEADER "system/hostmem.h"
#define VRDMA_QDICT_HEADER "qobject/qdict.h"
#define VRDMA_CPUS_HEADER "system/cpus.h"
#define VRDMA_RUNSTATE_HEADER "system/runstate.h"
#else
#define VRDMA_CPUS_HEADER "sysemu/cpus.h"
#define VRDMA_RUNSTATE_HEADER "sysemu/runstate.h"
#define VRDMA_QDICT_HEADER "qapi/qmp/qdict.h"
#define VRDMA_HOSTMEM_HEADER "sysemu/hostmem.h"
#endif

/*
 * How long a socket chardev waits before it connects again, 0 for never: in milliseconds
 * since 9.2, in seconds before.
 */
#if VRDMA_QEMU_AT_LEAST(9, 2)
#define VRDMA_RECONNECT_PERIOD 1000
#else
#define VRDMA_RECONNECT_PERIOD 1
#endif

static inline int64_t *vrdma_compat_reconnect_period(SocketChardev *socket)
{
#if VRDMA_QEMU_AT_LEAST(9, 2)
    return &socket->reconnect_time_ms;
#else
    return &socket->reconnect_time;
#endif
}

/* The configuration interrupt has a queue index of its own since 8.0. */
static inline bool vrdma_compat_is_queue(int index)
{
    return index >= 0;
}

#endif
