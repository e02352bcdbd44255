/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The virtio device (id 42), whatever its transport: "vrdma-device".  It is the front-end of
 * the vhost-user protocol, and vrdmad the back-end.
 */
#ifndef VRDMA_DEVICE_H
#define VRDMA_DEVICE_H

#include "qemu/osdep.h"
#include "chardev/char-fe.h"
#include "hw/virtio/vhost-backend.h"
#include "hw/virtio/vhost-user.h"
#include "hw/virtio/vhost.h"
#include "hw/virtio/virtio.h"
#include "vrdma_backend_requests.h"
#include "vrdma_greeting.h"
#include "vrdma_protocol.h"
#include "vrdma_shm.h"
#include "vrdma_watchdog.h"

#define TYPE_VRDMA "vrdma-device"
OBJECT_DECLARE_SIMPLE_TYPE(VRdma, VRDMA)

struct VRdma {
    VirtIODevice parent_obj;

    /* properties */
    CharBackend chardev;
    uint64_t shm_size;
    uint16_t comp_vectors;
    bool reconnect;
    uint32_t backend_timeout;       /* seconds; 0 for none */

    VRdmaShm *shm;
    MemoryRegion shm_region;

    /* the connection to the backend; see vrdma_backend.h */
    VhostUserState vhost_user;
    struct vhost_dev vhost_dev;
    struct vhost_virtqueue *vhost_queues;
    VRdmaBackendRequests *backend_requests;
    VRdmaWatchdog *watchdog;
    void (*vhost_commit)(MemoryListener *listener);
    const VhostOps *vhost_user_ops;
    VhostOps watched_ops;           /* vhost_user_ops, with those that wait watched */
    struct vrdma_config config;     /* as the guest sees it */
    uint64_t offered_features;      /* to the guest, once and for all */
    bool connected;

    /* what has happened and backend_bh has to deal with */
    QEMUBH *backend_bh;
    bool socket_open;
    VRdmaGreeting greeting;
    bool backend_lost;
    bool cut_off;                   /* by the watchdog; the backend may still use the memory */
    bool start_failed;
    bool queue_failed;
    char *refusal;                  /* why the last backend that came back is not used */

    QEMUBH *config_bh;
    DeviceListener memory_watch;
    VirtQueue **queues;
};

/* Number of virtqueues that the properties ask for. */
static inline unsigned vrdma_queue_count(const VRdma *s)
{
    return VRDMA_VQ_COMPLETION + s->comp_vectors;
}

/* The shared memory region, which the transport shows to the guest; valid once realized. */
static inline MemoryRegion *vrdma_shm_region(VRdma *s)
{
    return &s->shm_region;
}

/* The transport has shown the device's id to the guest. */
void vrdma_device_plugged(VRdma *s);

/*
 * Gives obj, the device or its transport's proxy, the properties of s under their old names too:
 * completion-queues for comp-vectors.
 */
void vrdma_alias_properties(Object *obj, VRdma *s);

void vrdma_device_register_types(void);

#endif
