/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: devices that are lost. */
#ifndef VRDMA_RECOVERY_H
#define VRDMA_RECOVERY_H

struct vrdma_dev;

void vrdma_recovery_init(struct vrdma_dev *dev);
void vrdma_give_up_lost(struct vrdma_dev *dev);

#endif /* VRDMA_RECOVERY_H */
