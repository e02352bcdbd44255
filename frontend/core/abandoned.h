/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: commands whose caller did not wait for the answer. */
#ifndef VRDMA_CORE_ABANDONED_H
#define VRDMA_CORE_ABANDONED_H

#include <linux/types.h>

struct vrdma_dev;
struct vrdma_pins;

void vrdma_abandoned_init(struct vrdma_dev *dev);
void vrdma_abandoned_stop(struct vrdma_dev *dev);
void vrdma_forget_kept(struct vrdma_dev *dev, u32 uctx);

#endif /* VRDMA_CORE_ABANDONED_H */
