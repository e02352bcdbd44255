/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the doorbell area (common/vrdma_doorbell.h). */
#ifndef VRDMA_CORE_DOORBELLS_H
#define VRDMA_CORE_DOORBELLS_H

struct vrdma_dev;

int vrdma_doorbells_map(struct vrdma_dev *dev);
void vrdma_doorbells_unmap(struct vrdma_dev *dev);
void vrdma_doorbell_qp(struct vrdma_dev *dev, u32 handle);
void vrdma_doorbell_cq(struct vrdma_dev *dev, u32 handle);

#endif /* VRDMA_CORE_DOORBELLS_H */
