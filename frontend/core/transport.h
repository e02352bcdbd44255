/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what the virtio device has: configuration, shared memory, queues. */
#ifndef VRDMA_CORE_TRANSPORT_H
#define VRDMA_CORE_TRANSPORT_H

#include <linux/types.h>

struct virtio_device;
struct vrdma_dev;

int vrdma_negotiate(struct virtio_device *vdev);
bool vrdma_has_failed(struct virtio_device *vdev);
bool vrdma_is_ready(struct virtio_device *vdev);
int vrdma_find_shm(struct vrdma_dev *dev);
void vrdma_release_shm(struct vrdma_dev *dev);
int vrdma_read_config(struct vrdma_dev *dev);
int vrdma_init_queues(struct vrdma_dev *dev);
void vrdma_start_queues(struct vrdma_dev *dev);
void vrdma_free_queues(struct vrdma_dev *dev);

#endif /* VRDMA_CORE_TRANSPORT_H */
