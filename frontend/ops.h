/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: who sets the methods of a device, and in which order. */
#ifndef VRDMA_OPS_H
#define VRDMA_OPS_H

struct vrdma_dev;

void vrdma_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_OPS_H */
