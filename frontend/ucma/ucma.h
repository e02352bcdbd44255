/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma guest driver: the user interface of the RDMA connection manager,
 * /dev/infiniband/rdma_cm, forwarded to the device (VRDMA_F_UCMA).
 */
#ifndef VRDMA_UCMA_UCMA_H
#define VRDMA_UCMA_UCMA_H

#include <linux/types.h>

struct vrdma_dev;

/* ucma/file.c */
void vrdma_ucma_fail(struct vrdma_dev *dev);

/* ucma/node.c */
int vrdma_ucma_init(struct vrdma_dev *dev);
void vrdma_ucma_free(struct vrdma_dev *dev);
void vrdma_ucma_start(struct vrdma_dev *dev);
void vrdma_ucma_stop(struct vrdma_dev *dev, bool comes_back);
void vrdma_ucma_returned(void);
int vrdma_ucma_module_init(void);
void vrdma_ucma_module_exit(void);

#endif /* VRDMA_UCMA_UCMA_H */
