/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_device.h"

#include "exec/ramblock.h"
#include "hw/qdev-properties-system.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/units.h"
#include "standard-headers/linux/virtio_ids.h"
#include "vrdma_backend.h"
#include "vrdma_compat.h"
#include "vrdma_guest_memory.h"
#include "vrdma_socket.h"

#define QUEUE_SIZE          256
#define MIN_SHM_SIZE        MiB
/*
 * QEMU and the guest stand still while QEMU waits for the backend's answer.  Linux finds a
 * processor that stood still for 20 seconds locked up.
 */
#define BACKEND_TIMEOUT     15

/*
 * virtio_init() and the monitor's "info virtio-status" assert that they know the
 * id, and they do not know 42.  So the device has this id, of a device that QEMU
 * has no code for, except for the moment when its transport asks.
 */
#define KNOWN_VIRTIO_ID     VIRTIO_ID_RPMSG

/*
 * Ends what the guest has set up; its driver learns that it must reset the device.  A device that
 * the driver is resetting, or has reset, has nothing to end, and must not say that it has: a driver
 * waits until the status is zero after a reset (virtio 1.2, 4.1.4.3.2).
 */
static void fail_device(VRdma *s, const char *what)
{
    if (!(VIRTIO_DEVICE(s)->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
        warn_report("vrdma: %s", what);
        return;
    }
    virtio_error(VIRTIO_DEVICE(s), "vrdma: %s; the device is unusable until the guest's driver "
                 "resets it", what);
}

static bool needs_reset(VRdma *s)
{
    return VIRTIO_DEVICE(s)->status & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/*
 * Tells the guest that the configuration space is another.  QEMU sends no interrupt of a
 * device that is broken, but a driver that waits for the backend's return waits for it.
 */
static void announce_config(VRdma *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    bool broken = vdev->broken;

    vdev->broken = false;
    virtio_notify_config(vdev);
    vdev->broken = broken;
}

static uint32_t backend_status(VRdma *s)
{
    return s->connected ? le32_to_cpu(s->config.status) : 0;
}

/* The chardev connects again and again, so that the log would have each reason many times. */
static void report_refusal(VRdma *s, Error *error)
{
    if (g_strcmp0(s->refusal, error_get_pretty(error)) == 0) {
        error_free(error);
        return;
    }
    g_free(s->refusal);
    s->refusal = g_strdup(error_get_pretty(error));
    error_reportf_err(error, "vrdma: cannot use the backend that has connected: ");
}

/* Brings a backend that has connected into use, and tells the guest. */
static void use_backend(VRdma *s)
{
    Error *error = NULL;

    if (vrdma_backend_connect(s, &error)) {
        g_clear_pointer(&s->refusal, g_free);
        info_report("vrdma: the backend is back; the guest's driver can reset the device");
        announce_config(s);
        return;
    }
    report_refusal(s, error);
    qemu_chr_fe_disconnect(&s->chardev);
}

/* A backend that has connected is used when it has answered: this thread does not wait for it. */
static void meet_backend(VRdma *s)
{
    if (s->greeting.state == VRDMA_GREETING_ANSWERED) {
        use_backend(s);
    } else if (s->greeting.state == VRDMA_GREETING_NONE &&
               !vrdma_greeting_send(&s->greeting, &s->chardev)) {
        qemu_chr_fe_disconnect(&s->chardev);
    }
}

static int answer_room(void *opaque)
{
    VRdma *s = opaque;

    return vrdma_greeting_room(&s->greeting);
}

static void answer_came(void *opaque, const uint8_t *bytes, int size)
{
    VRdma *s = opaque;

    if (!vrdma_greeting_take(&s->greeting, bytes, size)) {
        error_report("vrdma: what has connected does not speak vhost-user: is the chardev's path "
                     "the socket of vrdmad?");
        qemu_chr_fe_disconnect(&s->chardev);
        return;
    }
    qemu_bh_schedule(s->backend_bh);
}

/* Runs outside of all vhost code, which may be what noticed the loss of the backend. */
static void backend_bh(void *opaque)
{
    VRdma *s = opaque;

    if (s->cut_off && !s->backend_lost) {
        qemu_chr_fe_disconnect(&s->chardev);
        s->backend_lost = s->connected;
    }
    if (s->backend_lost) {
        s->backend_lost = false;
        vrdma_backend_disconnect(s);
        fail_device(s, "the backend has closed its socket");
    }
    if (s->start_failed) {
        s->start_failed = false;
        fail_device(s, s->connected ? "the backend could not be started"
                                    : "the backend is not connected");
    }
    if (s->queue_failed) {
        s->queue_failed = false;
        fail_device(s, "the backend has given up a queue; its log says why");
    }
    if (s->socket_open && !s->connected) {
        meet_backend(s);
    }
}

static void config_bh(void *opaque)
{
    VRdma *s = opaque;
    Error *error = NULL;

    if (!s->connected) {
        return;
    }
    if (!vrdma_backend_refresh_config(s, &error)) {
        warn_reportf_err(error, "vrdma: at a configuration change: ");
        return;
    }
    if ((backend_status(s) & VRDMA_STATUS_FAILED) && !needs_reset(s)) {
        fail_device(s, "the backend has given up the guest's queues; see its log");
    } else {
        announce_config(s);
    }
}

static void chardev_event(void *opaque, QEMUChrEvent event)
{
    VRdma *s = opaque;

    if (event == CHR_EVENT_OPENED) {
        s->socket_open = true;
    } else if (event == CHR_EVENT_CLOSED) {
        s->socket_open = false;
        s->greeting.state = VRDMA_GREETING_NONE;
        s->backend_lost = s->connected;
    } else {
        return;
    }
    qemu_bh_schedule(s->backend_bh);
}

static bool check_properties(VRdma *s, Error **errp)
{
    if (!qemu_chr_fe_backend_connected(&s->chardev)) {
        error_setg(errp, "the property 'chardev' is missing: it names the character device of "
                   "vrdmad's socket, as in -chardev socket,id=rdma0,path=SOCKET "
                   "-device vrdma-pci,chardev=rdma0");
        return false;
    }
    if (!is_power_of_2(s->shm_size) || s->shm_size < MIN_SHM_SIZE) {
        error_setg(errp, "shm-size must be a power of two and at least 1M");
        return false;
    }
    if (s->comp_vectors < 1 || s->comp_vectors > VRDMA_MAX_COMP_VECTORS) {
        error_setg(errp, "comp-vectors must be between 1 and %u", VRDMA_MAX_COMP_VECTORS);
        return false;
    }
    return vrdma_guest_memory_is_shared(errp);
}

/*
 * VFIO and vDPA devices would pin every page of the region for their DMA, and go on with these
 * pages when others take their place.  They leave out memory that is protected (as an SGX
 * enclave is), and nothing else in QEMU looks at that.
 */
static bool keep_from_dma(VRdma *s, Error **errp)
{
    RAMBlock *block = s->shm_region.ram_block;

    block->flags |= RAM_PROTECTED;
    if (memory_region_is_protected(&s->shm_region)) {
        return true;
    }
    error_setg(errp, "this QEMU has another layout of its RAM blocks than QEMU %s: build the "
               "device module from its source (qemu-device/README.md)", VRDMA_BUILT_FOR);
    return false;
}

static bool create_shm(VRdma *s, Error **errp)
{
    s->shm = vrdma_shm_new(s->shm_size);
    if (!s->shm) {
        error_setg_errno(errp, errno, "cannot reserve %" PRIu64 " bytes of addresses for the "
                         "shared memory region", s->shm_size);
        return false;
    }
    /*
     * A RAM device: plain memory for vCPUs and KVM, but none for the tables of
     * vhost devices, for dumps and for migration.
     *
     * Who uses the region holds a reference to its owner.  That is the transport, in whose memory
     * this device and the region are: a reference to this device would not keep that memory.
     */
    memory_region_init_ram_device_ptr(&s->shm_region,
                                      OBJECT(qdev_get_parent_bus(DEVICE(s))->parent), "vrdma-shm",
                                      s->shm_size, vrdma_shm_base(s->shm));
    return keep_from_dma(s, errp);
}

/* Never called: the backend serves the queues. */
static void handle_output(VirtIODevice *vdev, VirtQueue *vq)
{
    (void)vdev;
    (void)vq;
}

static void create_queues(VRdma *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    unsigned count = vrdma_queue_count(s);

    virtio_init(vdev, KNOWN_VIRTIO_ID, sizeof(struct vrdma_config));
    vdev->device_id = VRDMA_VIRTIO_ID;      /* until vrdma_device_plugged() */
    vdev->name = "vrdma";
    s->queues = g_new(VirtQueue *, count);
    for (unsigned i = 0; i < count; i++) {
        s->queues[i] = virtio_add_queue(vdev, QUEUE_SIZE, handle_output);
    }
}

static void delete_queues(VRdma *s)
{
    for (unsigned i = 0; i < vrdma_queue_count(s); i++) {
        virtio_delete_queue(s->queues[i]);
    }
    g_free(s->queues);
    s->queues = NULL;
    virtio_cleanup(VIRTIO_DEVICE(s));
}

static void vrdma_realize(DeviceState *dev, Error **errp)
{
    VRdma *s = VRDMA(dev);

    if (!check_properties(s, errp) || !create_shm(s, errp)) {
        return;
    }
    if (!vhost_user_init(&s->vhost_user, &s->chardev, errp)) {
        return;
    }
    s->vhost_queues = g_new0(struct vhost_virtqueue, vrdma_queue_count(s));
    s->watchdog = vrdma_watchdog_new(s->backend_timeout);
    s->backend_bh = qemu_bh_new(backend_bh, s);
    s->config_bh = qemu_bh_new(config_bh, s);
    create_queues(s);
    if (!vrdma_socket_connect(&s->chardev, dev->hotplugged, errp) ||
        !vrdma_backend_connect(s, errp)) {
        delete_queues(s);
        qemu_bh_delete(s->config_bh);
        qemu_bh_delete(s->backend_bh);
        vrdma_watchdog_free(s->watchdog);
        g_free(s->vhost_queues);
        vhost_user_cleanup(&s->vhost_user);
        return;
    }
    vrdma_guest_memory_watch(&s->memory_watch);
    if (s->reconnect) {
        vrdma_socket_keep_connected(&s->chardev);
    }
    qemu_chr_fe_set_handlers(&s->chardev, answer_room, answer_came, chardev_event, NULL, s, NULL,
                             true);
}

void vrdma_device_plugged(VRdma *s)
{
    VIRTIO_DEVICE(s)->device_id = KNOWN_VIRTIO_ID;
}

static void vrdma_unrealize(DeviceState *dev)
{
    VRdma *s = VRDMA(dev);

    device_listener_unregister(&s->memory_watch);
    qemu_chr_fe_set_handlers(&s->chardev, NULL, NULL, NULL, NULL, NULL, NULL, false);
    if (s->greeting.state == VRDMA_GREETING_SENT) {
        /* The next device would take the answer for its own. */
        qemu_chr_fe_disconnect(&s->chardev);
    }
    virtio_set_status(VIRTIO_DEVICE(dev), 0);
    /* The socket stays open for the next device on this chardev. */
    vrdma_backend_reset(s, false);
    vrdma_backend_disconnect(s);
    qemu_bh_delete(s->config_bh);
    qemu_bh_delete(s->backend_bh);
    delete_queues(s);
    vrdma_watchdog_free(s->watchdog);
    g_free(s->vhost_queues);
    vhost_user_cleanup(&s->vhost_user);
    g_clear_pointer(&s->refusal, g_free);
    /*
     * The property lets go of the chardev at the device's last reference, which a memory region's
     * reader may hold beyond DEVICE_DELETED, and who waited for that event may plug the next device
     * in on this chardev at once.
     */
    qemu_chr_fe_deinit(&s->chardev, false);
}

/* The last user of shm_region, perhaps a vCPU, is gone: it had a reference to the transport. */
static void vrdma_finalize(Object *obj)
{
    VRdma *s = VRDMA(obj);

    /* The region is a child of the transport, which may not have come to it yet. */
    object_unparent(OBJECT(&s->shm_region));
    vrdma_shm_free(s->shm);
}

static uint64_t vrdma_get_features(VirtIODevice *vdev, uint64_t features, Error **errp)
{
    VRdma *s = VRDMA(vdev);

    (void)errp;
    s->offered_features = vrdma_backend_features(s, features);
    return s->offered_features;
}

/* The specification, "Status, loss and return": the device's own state is part of the status. */
static void vrdma_get_config(VirtIODevice *vdev, uint8_t *bytes)
{
    VRdma *s = VRDMA(vdev);
    struct vrdma_config config = s->config;
    uint32_t status = backend_status(s) & VRDMA_STATUS_READY;

    if (needs_reset(s)) {
        status |= VRDMA_STATUS_FAILED;
    }
    config.status = cpu_to_le32(status);
    memcpy(bytes, &config, sizeof(config));
}

static void vrdma_set_status(VirtIODevice *vdev, uint8_t status)
{
    VRdma *s = VRDMA(vdev);
    bool start = virtio_device_should_start(vdev, status) && !vdev->broken;

    if (start == vhost_dev_is_started(&s->vhost_dev)) {
        return;
    }
    if (!start) {
        vrdma_backend_stop(s);
    } else if (!s->connected || !vrdma_backend_start(s)) {
        /* Later: virtio_set_status() will overwrite the status when this returns. */
        s->start_failed = true;
        qemu_bh_schedule(s->backend_bh);
    }
}

static void vrdma_reset(VirtIODevice *vdev)
{
    vrdma_backend_reset(VRDMA(vdev), VRDMA_VIRTIO_RESETS_BACKEND);
}

static void vrdma_guest_notifier_mask(VirtIODevice *vdev, int index, bool mask)
{
    VRdma *s = VRDMA(vdev);

    if (s->connected && vrdma_compat_is_queue(index)) {
        vrdma_backend_mask(s, index, mask);
    }
}

static bool vrdma_guest_notifier_pending(VirtIODevice *vdev, int index)
{
    VRdma *s = VRDMA(vdev);

    return s->connected && vrdma_compat_is_queue(index) &&
           vhost_virtqueue_pending(&s->vhost_dev, index);
}

static struct vhost_dev *vrdma_get_vhost(VirtIODevice *vdev)
{
    return &VRDMA(vdev)->vhost_dev;
}

static VRDMA_PROPERTY_TABLE vrdma_properties[] = {
    DEFINE_PROP_CHR("chardev", VRdma, chardev),
    DEFINE_PROP_SIZE("shm-size", VRdma, shm_size, 1 * GiB),
    DEFINE_PROP_UINT16("comp-vectors", VRdma, comp_vectors, 2),
    DEFINE_PROP_BOOL("reconnect", VRdma, reconnect, true),
    DEFINE_PROP_UINT32("backend-timeout", VRdma, backend_timeout, BACKEND_TIMEOUT),
    VRDMA_PROPERTY_TABLE_END
};

/* The RNIC's state is on the host, and cannot follow a guest that migrates. */
static const VMStateDescription vrdma_vmstate = {
    .name = "vrdma",
    .unmigratable = 1,
};

static void vrdma_class_init(ObjectClass *class, void *data)
{
    DeviceClass *device_class = DEVICE_CLASS(class);
    VirtioDeviceClass *virtio_class = VIRTIO_DEVICE_CLASS(class);

    (void)data;
    device_class_set_props(device_class, vrdma_properties);
    object_class_property_set_description(class, "chardev",
                                          "ID of the chardev of the backend's vhost-user socket");
    object_class_property_set_description(class, "shm-size",
                                          "Size of the shared memory region, a power of two");
    object_class_property_set_description(class, "comp-vectors",
                                          "Number of completion vectors");
    object_class_property_set_description(class, "reconnect",
                                          "Connect again when the backend has closed the socket");
    device_class->vmsd = &vrdma_vmstate;
    set_bit(DEVICE_CATEGORY_NETWORK, device_class->categories);
    object_class_property_set_description(class, "backend-timeout",
                                          "Seconds that QEMU waits for an answer (0: for ever)");
    virtio_class->realize = vrdma_realize;
    virtio_class->unrealize = vrdma_unrealize;
    virtio_class->get_features = vrdma_get_features;
    virtio_class->get_config = vrdma_get_config;
    virtio_class->set_status = vrdma_set_status;
    virtio_class->reset = vrdma_reset;
    virtio_class->guest_notifier_mask = vrdma_guest_notifier_mask;
    virtio_class->guest_notifier_pending = vrdma_guest_notifier_pending;
    virtio_class->get_vhost = vrdma_get_vhost;
}

static void vrdma_instance_init(Object *obj)
{
    vrdma_alias_properties(obj, VRDMA(obj));
}

void vrdma_alias_properties(Object *obj, VRdma *s)
{
    object_property_add_alias(obj, "completion-queues", OBJECT(s), "comp-vectors");
    object_property_set_description(obj, "completion-queues", "The old name of comp-vectors");
}

void vrdma_device_register_types(void)
{
    static const TypeInfo info = {
        .name = TYPE_VRDMA,
        .parent = TYPE_VIRTIO_DEVICE,
        .instance_size = sizeof(VRdma),
        .instance_init = vrdma_instance_init,
        .instance_finalize = vrdma_finalize,
        .class_init = vrdma_class_init,
    };

    type_register_static(&info);
}
