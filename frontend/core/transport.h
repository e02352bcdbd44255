/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what the virtio device has: configuration, shared memory, queues. */
#ifndef VRDMA_CORE_TRANSPORT_H
#define VRDMA_CORE_TRANSPORT_H

struct vrdma_dev;

int vrdma_find_shm(struct vrdma_dev *dev);
int vrdma_read_config(struct vrdma_dev *dev);
int vrdma_init_queues(struct vrdma_dev *dev);
void vrdma_start_queues(struct vrdma_dev *dev);
void vrdma_free_queues(struct vrdma_dev *dev);

#endif /* VRDMA_CORE_TRANSPORT_H */
