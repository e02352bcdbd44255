// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: what is different with an iWARP RNIC (VRDMA_F_IWARP).
 *
 * iw_cm.c has the connections.  Where the device cannot make any, the core's connection
 * manager stays away, because there are no verbs for the kernel; uverbs does not need these
 * methods.
 */
#include <linux/inetdevice.h>
#include <rdma/iw_cm.h>

#include "core/dev.h"
#include "core/netdev.h"
#include "iw_cm/iw_cm.h"
#include "iw_cm/state.h"

/*
 * An iWARP port has one GID, the MAC address of its netdev: the connection
 * manager finds the device by it.
 */
static int vrdma_iw_query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	struct net_device *ndev;

	if (index)
		return -EINVAL;

	memset(gid, 0, sizeof(*gid));
	ndev = vrdma_get_netdev(ibdev, port);
	if (!ndev) {
		memcpy(gid->raw, &ibdev->node_guid, sizeof(ibdev->node_guid));
		return 0;
	}
	memcpy(gid->raw, ndev->dev_addr, ETH_ALEN);
	dev_put(ndev);
	return 0;
}

static const struct ib_device_ops vrdma_iwarp_ops = {
	.query_gid = vrdma_iw_query_gid,
};

/*
 * The connection manager attaches only to a device that seems to have all verbs
 * for the kernel.  A client that tries them fails at its first protection domain.
 */
static struct ib_mr *vrdma_iw_no_dma_mr(struct ib_pd *ibpd, int access)
{
	return ERR_PTR(-EOPNOTSUPP);
}

static int vrdma_iw_no_poll_cq(struct ib_cq *ibcq, int count, struct ib_wc *wc)
{
	return -EOPNOTSUPP;
}

static int vrdma_iw_no_post_recv(struct ib_qp *ibqp, const struct ib_recv_wr *wr,
				 const struct ib_recv_wr **bad_wr)
{
	*bad_wr = wr;
	return -EOPNOTSUPP;
}

static const struct ib_device_ops vrdma_iw_no_verbs_ops = {
	.get_dma_mr = vrdma_iw_no_dma_mr,
	.poll_cq = vrdma_iw_no_poll_cq,
	.post_recv = vrdma_iw_no_post_recv,
};

void vrdma_iwarp_set_ops(struct vrdma_dev *dev)
{
	if (vrdma_is_iwarp(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iwarp_ops);
	if (vrdma_has_iw_cm(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iw_no_verbs_ops);
}
