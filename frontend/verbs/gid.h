/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the GID table, which follows the paired netdev. */
#ifndef VRDMA_VERBS_GID_H
#define VRDMA_VERBS_GID_H

#include <linux/types.h>

struct vrdma_dev;

void vrdma_gid_set_ops(struct vrdma_dev *dev);
void vrdma_gid_init(struct vrdma_dev *dev);
int vrdma_gid_start(struct vrdma_dev *dev);
void vrdma_gid_stop(struct vrdma_dev *dev);
int vrdma_gid_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const void *gid, u32 type,
		  u16 vlan, const u8 *mac);

#endif /* VRDMA_VERBS_GID_H */
