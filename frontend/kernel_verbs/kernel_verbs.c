// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: verbs of the kernel itself, where a device has them. */
#include "core/dev.h"
#include "core/objects.h"
#include "kernel_verbs/kernel_verbs.h"
#include "kernel_verbs/queues.h"

void vrdma_kernel_init(struct vrdma_dev *dev)
{
	dev->kernel_uctx = VRDMA_NO_HANDLE;
	vrdma_flush_init(dev);
	xa_init_flags(&dev->kernel_qps, XA_FLAGS_LOCK_IRQ);
}

int vrdma_kernel_start(struct vrdma_dev *dev)
{
	if (!vrdma_has_kernel_verbs(dev))
		return 0;
	return vrdma_cmd_acquire(dev, VRDMA_CMD_ALLOC_UCONTEXT, VRDMA_CMD_DEALLOC_UCONTEXT,
				 VRDMA_NO_HANDLE, NULL, &dev->kernel_uctx);
}

/* Releases the kernel's user context, when no kernel user has anything any more. */
void vrdma_kernel_release(struct vrdma_dev *dev)
{
	if (dev->kernel_uctx != VRDMA_NO_HANDLE)
		vrdma_cmd_release(dev, VRDMA_CMD_DEALLOC_UCONTEXT, dev->kernel_uctx,
				  dev->kernel_uctx);
	dev->kernel_uctx = VRDMA_NO_HANDLE;
}

/* To be called when the device is dead and vrdma_look() was called for the last time. */
void vrdma_kernel_stop(struct vrdma_dev *dev)
{
	vrdma_flush_stop(dev);
}

/*
 * These methods are set before the verbs in verbs/, which serve users (vrdma_set_ops()).  They
 * hand an object of a user on to the verbs.
 */
const struct ib_device_ops vrdma_kernel_ops = {
	.alloc_mr = vrdma_alloc_mr,
	.create_ah = vrdma_kernel_create_ah,
	.create_cq = vrdma_kernel_create_cq,
	.create_qp = vrdma_kernel_create_qp,
	.dereg_mr = vrdma_kernel_dereg_mr,
	.destroy_ah = vrdma_kernel_destroy_ah,
	.destroy_cq = vrdma_kernel_destroy_cq,
	.destroy_qp = vrdma_kernel_destroy_qp,
	.get_dma_mr = vrdma_get_dma_mr,
	.map_mr_sg = vrdma_map_mr_sg,
	.modify_qp = vrdma_kernel_modify_qp,
	.poll_cq = vrdma_poll_cq,
	.post_recv = vrdma_post_recv,
	.post_send = vrdma_kernel_post_send,
	.query_ah = vrdma_kernel_query_ah,
	.req_notify_cq = vrdma_kernel_req_notify_cq,
};

const struct ib_device_ops vrdma_kernel_srq_ops = {
	.create_srq = vrdma_kernel_create_srq,
	.destroy_srq = vrdma_kernel_destroy_srq,
	.post_srq_recv = vrdma_post_srq_recv,
};
