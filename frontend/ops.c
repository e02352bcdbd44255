// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: which methods a device has. */
#include <linux/module.h>

#include "core/dev.h"
#include "core/netdev.h"
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "ops.h"
#include "verbs/ah.h"
#include "verbs/cq.h"
#include "verbs/device.h"
#include "verbs/gid.h"
#include "verbs/mcast.h"
#include "verbs/mr.h"
#include "verbs/mw.h"
#include "verbs/pd.h"
#include "verbs/qp.h"
#include "verbs/srq.h"
#include "verbs/ucontext.h"

/*
 * The methods get_dma_mr, post_recv and poll_cq are missing here; vrdma_kernel_ops and
 * vrdma_iw_cm_ops have them.  Without them the core keeps kernel clients (ib_mad, rdma_cm,
 * ipoib ...) away from the device, and uverbs answers -EOPNOTSUPP to users who call them.
 */
static const struct ib_device_ops vrdma_ops = {
	.owner = THIS_MODULE,

	.add_gid = vrdma_add_gid,
	.alloc_pd = vrdma_alloc_pd,
	.alloc_ucontext = vrdma_alloc_ucontext,
	.create_cq = vrdma_create_cq,
	.create_qp = vrdma_create_qp,
	.create_user_ah = vrdma_create_ah,
	.dealloc_pd = vrdma_dealloc_pd,
	.dealloc_ucontext = vrdma_dealloc_ucontext,
	.del_gid = vrdma_del_gid,
	.dereg_mr = vrdma_dereg_mr,
	.destroy_ah = vrdma_destroy_ah,
	.destroy_cq = vrdma_destroy_cq,
	.destroy_qp = vrdma_destroy_qp,
	.disassociate_ucontext = vrdma_disassociate_ucontext,
	.get_dev_fw_str = vrdma_get_dev_fw_str,
	.get_link_layer = vrdma_get_link_layer,
	.get_netdev = vrdma_get_netdev,
	.get_port_immutable = vrdma_get_port_immutable,
	.mmap = vrdma_mmap,
	.mmap_free = vrdma_mmap_free,
	.modify_qp = vrdma_modify_qp,
	.post_send = vrdma_post_send,
	.query_ah = vrdma_query_ah,
	.query_device = vrdma_query_device,
	.query_pkey = vrdma_query_pkey,
	.query_port = vrdma_query_port,
	.query_qp = vrdma_query_qp,
	.reg_user_mr = vrdma_reg_user_mr,
	.req_notify_cq = vrdma_req_notify_cq,

	INIT_RDMA_OBJ_SIZE(ib_ah, vrdma_ah, ibah),
	INIT_RDMA_OBJ_SIZE(ib_cq, vrdma_cq, ibcq),
	INIT_RDMA_OBJ_SIZE(ib_pd, vrdma_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_qp, vrdma_qp, ibqp),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, vrdma_ucontext, ibuctx),
};

static const struct ib_device_ops vrdma_srq_ops = {
	.create_srq = vrdma_create_srq,
	.destroy_srq = vrdma_destroy_srq,
	.modify_srq = vrdma_modify_srq,
	.query_srq = vrdma_query_srq,

	INIT_RDMA_OBJ_SIZE(ib_srq, vrdma_srq, ibsrq),
};

static const struct ib_device_ops vrdma_mw_ops = {
	.alloc_mw = vrdma_alloc_mw,
	.dealloc_mw = vrdma_dealloc_mw,

	INIT_RDMA_OBJ_SIZE(ib_mw, vrdma_mw, ibmw),
};

static const struct ib_device_ops vrdma_rereg_mr_ops = {
	.rereg_user_mr = vrdma_rereg_user_mr,
};

static const struct ib_device_ops vrdma_resize_cq_ops = {
	.resize_cq = vrdma_resize_cq,
};

static const struct ib_device_ops vrdma_mcast_ops = {
	.attach_mcast = vrdma_attach_mcast,
	.detach_mcast = vrdma_detach_mcast,
};

/* Not every RNIC has these verbs. */
static const struct {
	unsigned int feature;
	const struct ib_device_ops *ops;
} vrdma_optional_ops[] = {
	{ VRDMA_F_SRQ, &vrdma_srq_ops },
	{ VRDMA_F_MW, &vrdma_mw_ops },
	{ VRDMA_F_REREG_MR, &vrdma_rereg_mr_ops },
	{ VRDMA_F_RESIZE_CQ, &vrdma_resize_cq_ops },
	{ VRDMA_F_MCAST, &vrdma_mcast_ops },
};

/*
 * ib_set_device_ops() keeps a method that was set before: the most special tables come first,
 * and their methods hand on to those of the tables below.
 */
void vrdma_set_ops(struct vrdma_dev *dev)
{
	unsigned int i;

	if (vrdma_has_kernel_verbs(dev)) {
		ib_set_device_ops(&dev->ibdev, &vrdma_kernel_ops);
		if (virtio_has_feature(dev->vdev, VRDMA_F_SRQ))
			ib_set_device_ops(&dev->ibdev, &vrdma_kernel_srq_ops);
	}
	if (vrdma_has_iw_cm(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iw_cm_ops);
	if (vrdma_is_iwarp(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iwarp_ops);
	for (i = 0; i < ARRAY_SIZE(vrdma_optional_ops); i++)
		if (virtio_has_feature(dev->vdev, vrdma_optional_ops[i].feature))
			ib_set_device_ops(&dev->ibdev, vrdma_optional_ops[i].ops);
	ib_set_device_ops(&dev->ibdev, &vrdma_ops);
}
