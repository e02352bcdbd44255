/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: verbs of the kernel itself (VRDMA_F_KERNEL_VERBS). */
#ifndef VRDMA_KERNEL_VERBS_KERNEL_VERBS_H
#define VRDMA_KERNEL_VERBS_KERNEL_VERBS_H

struct vrdma_dev;

/* kernel_verbs/kernel_verbs.c */
void vrdma_kernel_init(struct vrdma_dev *dev);
int vrdma_kernel_start(struct vrdma_dev *dev);
void vrdma_kernel_release(struct vrdma_dev *dev);
void vrdma_kernel_stop(struct vrdma_dev *dev);
void vrdma_kernel_set_ops(struct vrdma_dev *dev);

/* kernel_verbs/flush.c */
void vrdma_kernel_flush(struct vrdma_dev *dev);

#endif /* VRDMA_KERNEL_VERBS_KERNEL_VERBS_H */
