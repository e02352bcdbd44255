/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 the vrdma authors */
/*
 * The part of the vhost-user protocol that the module itself speaks.  QEMU's own
 * definitions are private to hw/virtio/vhost-user.c.  Integers are in the byte
 * order of the host.
 */
#ifndef VRDMA_VHOST_USER_H
#define VRDMA_VHOST_USER_H

#include "qemu/osdep.h"

typedef struct {
    uint32_t request;
    uint32_t flags;
    uint32_t size;              /* of the payload */
} VRdmaVuHeader;
QEMU_BUILD_BUG_ON(sizeof(VRdmaVuHeader) != 12);

#define VRDMA_VU_VERSION_MASK   0x3
#define VRDMA_VU_VERSION        0x1
#define VRDMA_VU_REPLY          (1u << 2)
#define VRDMA_VU_NEED_REPLY     (1u << 3)

/* Protocol features. */
enum {
    VRDMA_VU_F_MQ = 0,
    VRDMA_VU_F_REPLY_ACK = 3,
    VRDMA_VU_F_BACKEND_REQ = 5,
    VRDMA_VU_F_CONFIG = 9,
    VRDMA_VU_F_BACKEND_SEND_FD = 10,
    VRDMA_VU_F_RESET_DEVICE = 13,
};

/* Front-end messages. */
#define VRDMA_VU_GET_FEATURES           1
#define VRDMA_VU_SET_BACKEND_REQ_FD     21

/* A message, or an answer, whose payload is a number. */
typedef struct {
    VRdmaVuHeader header;
    uint64_t value;
} QEMU_PACKED VRdmaVuNumber;

/* Back-end messages. */
enum {
    VRDMA_VU_BACKEND_CONFIG_CHANGE = 2,
    VRDMA_VU_BACKEND_SHMEM_MAP = 9,
    VRDMA_VU_BACKEND_SHMEM_UNMAP = 10,
};

/* The payload of the last two. */
typedef struct {
    uint8_t shmid;
    uint8_t padding[7];
    uint64_t fd_offset;
    uint64_t shm_offset;
    uint64_t len;
    uint64_t flags;
} VRdmaVuMap;
QEMU_BUILD_BUG_ON(sizeof(VRdmaVuMap) != 40);

#define VRDMA_VU_MAP_WRITABLE   (1ull << 0)

#endif
