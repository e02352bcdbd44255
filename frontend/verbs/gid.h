/* SPDX-License-Identifier: GPL-2.0 */
/* vrdma guest driver: the GID table, which follows the paired netdev. */
#ifndef VRDMA_VERBS_GID_H
#define VRDMA_VERBS_GID_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

int vrdma_gid_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const void *gid, u32 type,
		  u16 vlan, const u8 *mac);
int vrdma_add_gid(const struct ib_gid_attr *attr, void **context);
int vrdma_del_gid(const struct ib_gid_attr *attr, void **context);

#endif /* VRDMA_VERBS_GID_H */
