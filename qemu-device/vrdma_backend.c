/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_backend.h"

#include "hw/virtio/vhost-backend.h"
#include "hw/virtio/virtio-bus.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "vrdma_check.h"
#include "vrdma_compat.h"
#include "vrdma_farewell.h"
#include "vrdma_socket.h"
#include "vrdma_vhost_user.h"

/*
 * The ring features that the backend must know as well.  list_feature_bits() puts
 * the device's own bits (0 to 23) in front of them.
 */
static const int ring_feature_bits[] = {
    VIRTIO_F_NOTIFY_ON_EMPTY,
    VIRTIO_F_ANY_LAYOUT,
    VIRTIO_RING_F_INDIRECT_DESC,
    VIRTIO_RING_F_EVENT_IDX,
    VIRTIO_F_VERSION_1,
    VIRTIO_F_IOMMU_PLATFORM,
    VIRTIO_F_RING_PACKED,
    VIRTIO_F_IN_ORDER,
    VIRTIO_F_ORDER_PLATFORM,
    VIRTIO_F_RING_RESET,
};

#define DEVICE_FEATURE_BITS     24
#define FEATURE_BIT_COUNT       (DEVICE_FEATURE_BITS + ARRAY_SIZE(ring_feature_bits) + 1)

static void list_feature_bits(int *bits)
{
    for (int i = 0; i < DEVICE_FEATURE_BITS; i++) {
        *bits++ = i;
    }
    memcpy(bits, ring_feature_bits, sizeof(ring_feature_bits));
    bits[ARRAY_SIZE(ring_feature_bits)] = VHOST_INVALID_FEATURE_BIT;
}

uint64_t vrdma_backend_features(VRdma *s, uint64_t features)
{
    int bits[FEATURE_BIT_COUNT];

    list_feature_bits(bits);
    features |= MAKE_64BIT_MASK(0, DEVICE_FEATURE_BITS);
    return vhost_get_features(&s->vhost_dev, bits, features);
}

/* Answers of the backend are waited for from here to answers_came(), which the guest feels. */
static void await_answers(VRdma *s)
{
    vrdma_watchdog_arm(s->watchdog, vrdma_socket_fd(&s->chardev));
}

static void answers_came(VRdma *s)
{
    if (vrdma_watchdog_disarm(s->watchdog)) {
        error_report("vrdma: the backend has not answered for %u seconds, and is cut off: is "
                     "vrdmad stopped? A vrdmad that is slow needs a larger backend-timeout",
                     s->backend_timeout);
        if (s->backend_requests) {
            s->cut_off = true;
            vrdma_farewell_stop_processor();
            qemu_bh_schedule(s->backend_bh);
        }
    }
}

static bool has_protocol_feature(VRdma *s, unsigned bit)
{
    return s->vhost_dev.protocol_features & BIT_ULL(bit);
}

static bool check_protocol_features(VRdma *s, Error **errp)
{
    static const struct {
        unsigned bit;
        const char *name;
    } needed[] = {
        { VRDMA_VU_F_MQ, "MQ" },
        { VRDMA_VU_F_REPLY_ACK, "REPLY_ACK" },
        { VRDMA_VU_F_BACKEND_REQ, "BACKEND_REQ" },
        { VRDMA_VU_F_CONFIG, "CONFIG" },
        { VRDMA_VU_F_BACKEND_SEND_FD, "BACKEND_SEND_FD" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        if (!has_protocol_feature(s, needed[i].bit)) {
            error_setg(errp, "the backend lacks the vhost-user protocol feature %s: "
                       "is this the socket of vrdmad?", needed[i].name);
            return false;
        }
    }
    return true;
}

static bool check_queue_count(VRdma *s, Error **errp)
{
    unsigned wanted = vrdma_queue_count(s);

    if (s->vhost_dev.max_queues >= wanted) {
        return true;
    }
    error_setg(errp, "the backend offers %" PRIu64 " virtqueues and comp-vectors=%u "
               "needs %u; lower comp-vectors", s->vhost_dev.max_queues, s->comp_vectors, wanted);
    return false;
}

/* The guest has been told its features; a backend that returns must have them. */
static bool check_features(VRdma *s, Error **errp)
{
    uint64_t missing = s->offered_features & ~vrdma_backend_features(s, s->offered_features);

    if (!missing) {
        return true;
    }
    error_setg(errp, "the backend came back without the features 0x%" PRIx64
               " that the guest was offered", missing);
    return false;
}

bool vrdma_backend_refresh_config(VRdma *s, Error **errp)
{
    struct vrdma_config config;
    int ret;

    await_answers(s);
    ret = vhost_dev_get_config(&s->vhost_dev, (uint8_t *)&config, sizeof(config), errp);
    answers_came(s);
    if (ret < 0) {
        return false;
    }
    if (le32_to_cpu(config.protocol_version) != VRDMA_PROTOCOL_VERSION) {
        error_setg(errp, "the backend speaks version %u of the vrdma protocol and this device "
                   "version %u; install vrdmad and the QEMU module from the same release",
                   le32_to_cpu(config.protocol_version), VRDMA_PROTOCOL_VERSION);
        return false;
    }
    config.num_comp_vectors = cpu_to_le16(s->comp_vectors);
    config.shm_size = cpu_to_le64(s->shm_size);
    if (!vrdma_config_valid(&config)) {
        error_setg(errp, "the backend's configuration space is not valid");
        return false;
    }
    s->config = config;
    return true;
}

static bool send_shm_size(VRdma *s, Error **errp)
{
    uint64_t size = cpu_to_le64(s->shm_size);
    int ret = vhost_dev_set_config(&s->vhost_dev, (uint8_t *)&size,
                                   offsetof(struct vrdma_config, shm_size), sizeof(size),
                                   VRDMA_SET_CONFIG_FRONTEND);

    if (ret < 0) {
        error_setg(errp, "the backend refuses a shared memory region of %" PRIu64 " bytes; "
                   "see its log, or try another shm-size", s->shm_size);
        return false;
    }
    return true;
}

/*
 * Sends SET_BACKEND_REQ_FD past QEMU's vhost code, which has sent one already, with
 * its own channel, and has no way to send another.  This runs in the main thread, like
 * all of QEMU's own messages, so the answer that comes is ours.
 */
static bool send_backend_requests(VRdma *s, int fd, Error **errp)
{
    VRdmaVuHeader message = {
        .request = VRDMA_VU_SET_BACKEND_REQ_FD,
        .flags = VRDMA_VU_VERSION | VRDMA_VU_NEED_REPLY,
    };
    VRdmaVuNumber answer;

    if (qemu_chr_fe_set_msgfds(&s->chardev, &fd, 1) < 0 ||
        qemu_chr_fe_write_all(&s->chardev, (uint8_t *)&message, sizeof(message)) !=
            sizeof(message) ||
        qemu_chr_fe_read_all(&s->chardev, (uint8_t *)&answer, sizeof(answer)) !=
            sizeof(answer)) {
        error_setg(errp, "the backend closed the connection during the handshake");
        return false;
    }
    if (answer.header.request != message.request ||
        answer.header.size != sizeof(answer.value) || answer.value != 0) {
        error_setg(errp, "the backend refuses the channel of back-end requests for its "
                   "shared memory region");
        return false;
    }
    return true;
}

static void config_changed(void *opaque)
{
    VRdma *s = opaque;

    qemu_bh_schedule(s->config_bh);
}

static bool open_backend_requests(VRdma *s, Error **errp)
{
    int peer;
    bool sent;

    s->backend_requests = vrdma_backend_requests_new(s->shm, config_changed, s, &peer, errp);
    if (!s->backend_requests) {
        return false;
    }
    sent = send_backend_requests(s, peer, errp);
    close(peer);
    if (!sent) {
        vrdma_backend_requests_free(s->backend_requests);
        s->backend_requests = NULL;
    }
    return sent;
}

/* The backend announced a change on QEMU's own channel, before it had the module's. */
static int vhost_config_notifier(struct vhost_dev *hdev)
{
    config_changed(container_of(hdev, VRdma, vhost_dev));
    return 0;
}

/* The backend has given a queue up, and the guest must reset the device (virtio 1.2, 2.1.2). */
static void queue_failed(EventNotifier *notifier)
{
    struct vhost_virtqueue *queue = container_of(notifier, struct vhost_virtqueue,
                                                 error_notifier);
    VRdma *s = container_of(queue->dev, VRdma, vhost_dev);

    if (event_notifier_test_and_clear(notifier)) {
        s->queue_failed = true;
        qemu_bh_schedule(s->backend_bh);
    }
}

/* QEMU's vhost code has made these descriptors (SET_VRING_ERR), and does nothing about them. */
static void watch_queues(VRdma *s)
{
    for (unsigned i = 0; i < s->vhost_dev.nvqs; i++) {
        event_notifier_set_handler(&s->vhost_dev.vqs[i].error_notifier, queue_failed);
    }
}

/* What happened to the queues before a reset is over with it. */
static void forget_failed_queues(VRdma *s)
{
    for (unsigned i = 0; i < s->vhost_dev.nvqs; i++) {
        event_notifier_test_and_clear(&s->vhost_dev.vqs[i].error_notifier);
    }
    s->queue_failed = false;
}

static const VhostDevConfigOps config_ops = {
    .vhost_dev_config_notifier = vhost_config_notifier,
};

/* QEMU tells the backend of memory that comes and goes, and waits until it has mapped it. */
static void commit_memory(MemoryListener *listener)
{
    VRdma *s = container_of(listener, VRdma, vhost_dev.memory_listener);

    await_answers(s);
    s->vhost_commit(listener);
    answers_came(s);
}

/* QEMU's own reset sends RESET_DEVICE, past vrdma_backend_reset(). */
static int reset_device(struct vhost_dev *hdev)
{
    VRdma *s = container_of(hdev, VRdma, vhost_dev);
    int ret;

    await_answers(s);
    ret = s->vhost_user_ops->vhost_reset_device(hdev);
    answers_came(s);
    return ret;
}

/* What QEMU's vhost code does by itself waits for answers as well. */
static void watch_vhost(VRdma *s)
{
    struct vhost_dev *hdev = &s->vhost_dev;

    s->vhost_commit = hdev->memory_listener.commit;
    hdev->memory_listener.commit = commit_memory;

    s->vhost_user_ops = hdev->vhost_ops;
    s->watched_ops = *hdev->vhost_ops;
    s->watched_ops.vhost_reset_device = reset_device;
    hdev->vhost_ops = &s->watched_ops;
}

static bool connect_backend(VRdma *s, Error **errp)
{
    struct vhost_dev *hdev = &s->vhost_dev;

    hdev->vqs = s->vhost_queues;
    hdev->nvqs = vrdma_queue_count(s);
    hdev->vq_index = 0;
    s->vhost_user.supports_config = true;
    vhost_dev_set_config_notifier(hdev, &config_ops);
    if (vhost_dev_init(hdev, &s->vhost_user, VHOST_BACKEND_TYPE_USER, 0, errp) < 0) {
        return false;
    }
    if (!check_protocol_features(s, errp) || !check_queue_count(s, errp) ||
        !check_features(s, errp) || !vrdma_backend_refresh_config(s, errp) ||
        !send_shm_size(s, errp) || !open_backend_requests(s, errp)) {
        vhost_dev_cleanup(hdev);
        return false;
    }
    watch_vhost(s);
    watch_queues(s);
    s->connected = true;
    return true;
}

bool vrdma_backend_connect(VRdma *s, Error **errp)
{
    bool connected;

    if (s->connected) {
        return true;
    }
    await_answers(s);
    connected = connect_backend(s, errp);
    answers_came(s);
    return connected;
}

void vrdma_backend_disconnect(VRdma *s)
{
    if (!s->connected) {
        return;
    }
    s->connected = false;
    vrdma_backend_stop(s);
    if (s->cut_off) {
        vrdma_farewell_begin(s->backend_requests);
    } else {
        vrdma_backend_requests_free(s->backend_requests);
    }
    s->cut_off = false;
    s->backend_requests = NULL;
    vhost_dev_cleanup(&s->vhost_dev);
    vrdma_shm_reset(s->shm);
}

void vrdma_backend_reset(VRdma *s, bool told)
{
    Error *error = NULL;

    await_answers(s);
    if (s->connected) {
        if (!told && has_protocol_feature(s, VRDMA_VU_F_RESET_DEVICE)) {
            s->vhost_dev.vhost_ops->vhost_reset_device(&s->vhost_dev);
        }
        /*
         * RESET_DEVICE has no answer, but messages are served in order: the
         * answer to this message says that the reset is over.  The backend may
         * unmap meanwhile: the channel of back-end requests has a thread of its own.
         */
        if (!vrdma_backend_refresh_config(s, &error)) {
            warn_reportf_err(error, "vrdma: at reset: ");
        }
        forget_failed_queues(s);
    }
    answers_came(s);
    vrdma_shm_reset(s->shm);
}

static bool start_backend(VRdma *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    BusState *bus = qdev_get_parent_bus(DEVICE(s));
    VirtioBusClass *bus_class = VIRTIO_BUS_GET_CLASS(bus);
    struct vhost_dev *hdev = &s->vhost_dev;
    int bits[FEATURE_BIT_COUNT];

    if (!bus_class->set_guest_notifiers) {
        error_report("vrdma: the bus has no guest notifiers");
        return false;
    }
    if (vhost_dev_enable_notifiers(hdev, vdev) < 0) {
        error_report("vrdma: cannot enable the host notifiers");
        return false;
    }
    if (bus_class->set_guest_notifiers(bus->parent, hdev->nvqs, true) < 0) {
        error_report("vrdma: cannot set the guest notifiers");
        goto disable_notifiers;
    }
    list_feature_bits(bits);
    hdev->acked_features = hdev->backend_features;
    vhost_ack_features(hdev, bits, vdev->guest_features);
    if (vhost_dev_start(hdev, vdev, true) < 0) {
        error_report("vrdma: the backend does not take the virtqueues");
        goto clear_guest_notifiers;
    }
    /* Masking is done by virtio-pci, which moves the call eventfd; see there. */
    for (unsigned i = 0; i < hdev->nvqs; i++) {
        vhost_virtqueue_mask(hdev, vdev, i, false);
    }
    return true;

clear_guest_notifiers:
    bus_class->set_guest_notifiers(bus->parent, hdev->nvqs, false);
disable_notifiers:
    vhost_dev_disable_notifiers(hdev, vdev);
    return false;
}

bool vrdma_backend_start(VRdma *s)
{
    bool started;

    await_answers(s);
    started = start_backend(s);
    answers_came(s);
    return started;
}

void vrdma_backend_mask(VRdma *s, int index, bool mask)
{
    await_answers(s);
    vhost_virtqueue_mask(&s->vhost_dev, VIRTIO_DEVICE(s), index, mask);
    answers_came(s);
}

void vrdma_backend_stop(VRdma *s)
{
    VirtIODevice *vdev = VIRTIO_DEVICE(s);
    BusState *bus = qdev_get_parent_bus(DEVICE(s));
    VirtioBusClass *bus_class = VIRTIO_BUS_GET_CLASS(bus);
    struct vhost_dev *hdev = &s->vhost_dev;

    if (!vhost_dev_is_started(hdev)) {
        return;
    }
    await_answers(s);
    vhost_dev_stop(hdev, vdev, true);
    answers_came(s);
    bus_class->set_guest_notifiers(bus->parent, hdev->nvqs, false);
    vhost_dev_disable_notifiers(hdev, vdev);
}
