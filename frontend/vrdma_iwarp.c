// SPDX-License-Identifier: GPL-2.0
/*
 * vrdma guest driver: what is different with an iWARP RNIC (VRDMA_F_IWARP).
 *
 * Connections are the host's to make.  The core's connection manager does not
 * attach to a device without verbs for the kernel, but it calls these methods
 * unchecked: so they are there, and refuse.
 */
#include <rdma/iw_cm.h>

#include "vrdma.h"

bool vrdma_iwarp(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_IWARP);
}

/* An iWARP port has one GID, the MAC address, which serves as a name only. */
static int vrdma_iw_query_gid(struct ib_device *ibdev, u32 port, int index, union ib_gid *gid)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibdev);

	if (index)
		return -EINVAL;

	memset(gid, 0, sizeof(*gid));
	if (is_zero_ether_addr(dev->mac))
		memcpy(gid->raw, &ibdev->node_guid, sizeof(ibdev->node_guid));
	else
		memcpy(gid->raw, dev->mac, sizeof(dev->mac));
	return 0;
}

static int vrdma_iw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	return -EOPNOTSUPP;
}

static int vrdma_iw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	return -EOPNOTSUPP;
}

static int vrdma_iw_reject(struct iw_cm_id *cm_id, const void *data, u8 length)
{
	return -EOPNOTSUPP;
}

static int vrdma_iw_create_listen(struct iw_cm_id *cm_id, int backlog)
{
	return -EOPNOTSUPP;
}

static int vrdma_iw_destroy_listen(struct iw_cm_id *cm_id)
{
	return -EOPNOTSUPP;
}

/* References are taken on the QPs of connections, of which there are none. */
static void vrdma_iw_no_ref(struct ib_qp *ibqp)
{
}

static struct ib_qp *vrdma_iw_get_qp(struct ib_device *ibdev, int qpn)
{
	return NULL;
}

const struct ib_device_ops vrdma_iwarp_ops = {
	.iw_accept = vrdma_iw_accept,
	.iw_add_ref = vrdma_iw_no_ref,
	.iw_connect = vrdma_iw_connect,
	.iw_create_listen = vrdma_iw_create_listen,
	.iw_destroy_listen = vrdma_iw_destroy_listen,
	.iw_get_qp = vrdma_iw_get_qp,
	.iw_reject = vrdma_iw_reject,
	.iw_rem_ref = vrdma_iw_no_ref,
	.query_gid = vrdma_iw_query_gid,
};
