/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: completion events and asynchronous events. */
#ifndef VRDMA_CORE_EVENTS_H
#define VRDMA_CORE_EVENTS_H

#include "core/dev.h"

void vrdma_event_register(struct vrdma_dev *dev, enum vrdma_event_type type,
			  vrdma_event_handler handle, enum ib_event_type ib_type);
int vrdma_inq_init(struct vrdma_inq *inq, struct virtqueue *vq, u32 size);
void vrdma_inq_free(struct vrdma_inq *inq);
void vrdma_event_callback(struct virtqueue *vq);
void vrdma_completion_callback(struct virtqueue *vq);
void vrdma_dispatch(struct vrdma_dev *dev, enum ib_event_type type);

#endif /* VRDMA_CORE_EVENTS_H */
