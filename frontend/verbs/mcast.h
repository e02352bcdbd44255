/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: queue pairs in multicast groups. */
#ifndef VRDMA_VERBS_MCAST_H
#define VRDMA_VERBS_MCAST_H

struct vrdma_dev;

void vrdma_mcast_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_MCAST_H */
