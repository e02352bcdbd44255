/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#ifndef VRDMA_GUEST_MEMORY_H
#define VRDMA_GUEST_MEMORY_H

#include "qemu/osdep.h"
#include "hw/qdev-core.h"

/*
 * Whether the backend, another process, can map all of the guest's memory: that of the machine,
 * of each NUMA node and of each memory device.  If not *errp says how to start QEMU so that
 * it can.
 */
bool vrdma_guest_memory_is_shared(Error **errp);

/*
 * Refuses memory devices whose memory the backend could not map, from now until
 * device_listener_unregister().
 */
void vrdma_guest_memory_watch(DeviceListener *listener);

#endif
