/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the netdev that the port is paired with. */
#ifndef VRDMA_CORE_NETDEV_H
#define VRDMA_CORE_NETDEV_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

int vrdma_netdev_pair(struct vrdma_dev *dev);
void vrdma_netdev_unpair(struct vrdma_dev *dev);
void vrdma_netdev_refresh(struct vrdma_dev *dev);
struct net_device *vrdma_get_netdev(struct ib_device *ibdev, u32 port);

#endif /* VRDMA_CORE_NETDEV_H */
