// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: domains of extended reliable connections (XRC).
 *
 * Processes share a domain by a file, which is the core's business (ib_uverbs_open_xrcd): the
 * driver is asked for a new domain once, and to free it when the last process has closed it.  So
 * the device's domain belongs to no user context.
 */
#include "core/dev.h"
#include "core/objects.h"
#include "verbs/xrcd.h"

static int vrdma_alloc_xrcd(struct ib_xrcd *ibxrcd, struct ib_udata *udata)
{
	if (!udata)
		return -EOPNOTSUPP;

	return vrdma_cmd_acquire(to_vrdma_dev(ibxrcd->device), VRDMA_CMD_ALLOC_XRCD,
				 VRDMA_CMD_DEALLOC_XRCD, VRDMA_NO_HANDLE, udata,
				 &to_vrdma_xrcd(ibxrcd)->handle);
}

static int vrdma_dealloc_xrcd(struct ib_xrcd *ibxrcd, struct ib_udata *udata)
{
	return vrdma_cmd_release(to_vrdma_dev(ibxrcd->device), VRDMA_CMD_DEALLOC_XRCD,
				 VRDMA_NO_HANDLE, to_vrdma_xrcd(ibxrcd)->handle, NULL);
}

static const struct ib_device_ops vrdma_xrcd_ops = {
	.alloc_xrcd = vrdma_alloc_xrcd,
	.dealloc_xrcd = vrdma_dealloc_xrcd,

	INIT_RDMA_OBJ_SIZE(ib_xrcd, vrdma_xrcd, ibxrcd),
};

void vrdma_xrcd_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_XRC))
		ib_set_device_ops(&dev->ibdev, &vrdma_xrcd_ops);
}
