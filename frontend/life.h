/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: one life of a device. */
#ifndef VRDMA_LIFE_H
#define VRDMA_LIFE_H

#include <linux/types.h>

struct vrdma_dev;
struct vrdma_slot;

int vrdma_life_begin(struct vrdma_slot *slot);
int vrdma_life_start(struct vrdma_dev *dev);
bool vrdma_life_end(struct vrdma_slot *slot, bool comes_back);

#endif /* VRDMA_LIFE_H */
