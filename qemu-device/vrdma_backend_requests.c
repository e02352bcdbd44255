/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
#include "vrdma_backend_requests.h"

#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/sockets.h"
#include "qemu/thread.h"
#include "vrdma_protocol.h"
#include "vrdma_vhost_user.h"

/* More than any back-end message carries; the surplus is closed again. */
#define MAX_FDS         8
/* Unknown requests up to this size are skipped and refused. */
#define MAX_PAYLOAD     4096

struct VRdmaBackendRequests {
    VRdmaShm *shm;
    void (*config_changed)(void *opaque);
    void *opaque;
    int socket;
    QemuThread thread;
    QemuMutex lock;             /* guards what follows, and is held while a request is served */
    bool has_left;
    bool ended;
    void (*on_end)(void *opaque);
    void *on_end_opaque;
};

typedef struct {
    VRdmaVuHeader header;
    union {
        VRdmaVuMap map;
        uint8_t bytes[MAX_PAYLOAD];
    } payload;
    int fds[MAX_FDS];
    int fd_count;
} Request;

static void close_fds(Request *request)
{
    for (int i = 0; i < request->fd_count; i++) {
        close(request->fds[i]);
    }
    request->fd_count = 0;
}

static void take_fds(Request *request, struct msghdr *message)
{
    struct cmsghdr *control;

    for (control = CMSG_FIRSTHDR(message); control; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
            request->fd_count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(request->fds, CMSG_DATA(control), request->fd_count * sizeof(int));
        }
    }
}

static bool read_exactly(int socket, void *buffer, size_t size)
{
    ssize_t got;

    if (size == 0) {
        return true;            /* recv() would wait for the next message */
    }
    do {
        got = recv(socket, buffer, size, MSG_WAITALL);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)size;
}

/* The descriptors travel with the first byte of the header. */
static bool read_header(int socket, Request *request)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
    } control;
    struct iovec iov = { &request->header, sizeof(request->header) };
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof(control),
    };
    ssize_t got;

    request->fd_count = 0;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return false;
    }
    take_fds(request, &message);
    return got == sizeof(request->header) ||
           read_exactly(socket, (uint8_t *)&request->header + got,
                        sizeof(request->header) - got);
}

static bool read_request(int socket, Request *request)
{
    const VRdmaVuHeader *header = &request->header;

    if (!read_header(socket, request)) {
        return false;
    }
    if ((header->flags & VRDMA_VU_VERSION_MASK) != VRDMA_VU_VERSION ||
        header->size > sizeof(request->payload)) {
        error_report("vrdma: the backend sent a malformed request (type %u, flags 0x%x, %u bytes)",
                     header->request, header->flags, header->size);
        return false;
    }
    return read_exactly(socket, &request->payload, header->size);
}

static int serve_map(VRdmaBackendRequests *channel, const Request *request)
{
    const VRdmaVuMap *map = &request->payload.map;

    if (request->header.size != sizeof(*map) || map->shmid != VRDMA_SHM_ID ||
        (map->flags & ~VRDMA_VU_MAP_WRITABLE) != 0) {
        return EINVAL;
    }
    if (request->header.request == VRDMA_VU_BACKEND_SHMEM_UNMAP) {
        return vrdma_shm_unmap(channel->shm, map->shm_offset, map->len);
    }
    if (request->fd_count != 1) {
        return EBADF;
    }
    return vrdma_shm_map(channel->shm, map->shm_offset, map->len, request->fds[0],
                         map->fd_offset, map->flags & VRDMA_VU_MAP_WRITABLE);
}

/* Returns 0 or a positive errno, which is also what the backend gets. */
static int serve(VRdmaBackendRequests *channel, const Request *request)
{
    QEMU_LOCK_GUARD(&channel->lock);
    if (channel->has_left) {
        return ESHUTDOWN;
    }
    switch (request->header.request) {
    case VRDMA_VU_BACKEND_CONFIG_CHANGE:
        channel->config_changed(channel->opaque);
        return 0;
    case VRDMA_VU_BACKEND_SHMEM_MAP:
    case VRDMA_VU_BACKEND_SHMEM_UNMAP:
        return serve_map(channel, request);
    default:
        return EOPNOTSUPP;
    }
}

static bool reply(int socket, const Request *request, uint64_t value)
{
    struct {
        VRdmaVuHeader header;
        uint64_t value;
    } QEMU_PACKED message = {
        .header = {
            .request = request->header.request,
            .flags = VRDMA_VU_VERSION | VRDMA_VU_REPLY,
            .size = sizeof(value),
        },
        .value = value,
    };

    return send(socket, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message);
}

/* Waits until the backend has closed its end, and throws away what it sends until then. */
static void drain(int socket)
{
    uint8_t bytes[256];
    ssize_t got;

    do {
        /* Without room for them, the kernel closes the descriptors in the messages. */
        got = recv(socket, bytes, sizeof(bytes), 0);
    } while (got > 0 || (got < 0 && errno == EINTR));
}

static void say_end(VRdmaBackendRequests *channel)
{
    QEMU_LOCK_GUARD(&channel->lock);
    channel->ended = true;
    if (channel->on_end) {
        channel->on_end(channel->on_end_opaque);
    }
}

static void *channel_thread(void *opaque)
{
    VRdmaBackendRequests *channel = opaque;
    g_autofree Request *request = g_new0(Request, 1);
    bool alive = true;

    while (alive) {
        alive = read_request(channel->socket, request);
        if (alive) {
            int status = serve(channel, request);

            close_fds(request);
            if (request->header.flags & VRDMA_VU_NEED_REPLY) {
                alive = reply(channel->socket, request, status);
            }
        }
        close_fds(request);
    }
    /* The backend must not wait for answers that nobody will give. */
    shutdown(channel->socket, SHUT_WR);
    drain(channel->socket);
    say_end(channel);
    return NULL;
}

VRdmaBackendRequests *vrdma_backend_requests_new(VRdmaShm *shm, void (*config_changed)(void *),
                                                 void *opaque, int *peer, Error **errp)
{
    VRdmaBackendRequests *channel;
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
        error_setg_errno(errp, errno, "vrdma: cannot make the channel of back-end requests");
        return NULL;
    }
    channel = g_new0(VRdmaBackendRequests, 1);
    channel->shm = shm;
    channel->config_changed = config_changed;
    channel->opaque = opaque;
    channel->socket = ends[0];
    qemu_mutex_init(&channel->lock);
    qemu_thread_create(&channel->thread, "vrdma-be-reqs", channel_thread, channel,
                       QEMU_THREAD_JOINABLE);
    *peer = ends[1];
    return channel;
}

void vrdma_backend_requests_leave(VRdmaBackendRequests *channel, void (*on_end)(void *),
                                  void *opaque)
{
    QEMU_LOCK_GUARD(&channel->lock);
    channel->has_left = true;
    channel->on_end = on_end;
    channel->on_end_opaque = opaque;
    if (channel->ended) {
        on_end(opaque);
    }
    /* To the backend the channel has ended, and it closes its end when all else is done. */
    shutdown(channel->socket, SHUT_WR);
}

bool vrdma_backend_requests_ended(VRdmaBackendRequests *channel)
{
    QEMU_LOCK_GUARD(&channel->lock);
    return channel->ended;
}

void vrdma_backend_requests_free(VRdmaBackendRequests *channel)
{
    if (channel) {
        shutdown(channel->socket, SHUT_RDWR);
        qemu_thread_join(&channel->thread);
        qemu_mutex_destroy(&channel->lock);
        close(channel->socket);
        g_free(channel);
    }
}
