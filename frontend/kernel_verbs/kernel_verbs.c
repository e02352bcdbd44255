// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
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
				  dev->kernel_uctx, NULL);
	dev->kernel_uctx = VRDMA_NO_HANDLE;
}

/* To be called when the device is dead and vrdma_look() was called for the last time. */
void vrdma_kernel_stop(struct vrdma_dev *dev)
{
	vrdma_flush_stop(dev);
}

/*
 * These methods hand an object of a user on to the verbs in verbs/, which serve users; so
 * vrdma_set_ops() sets them before those.
 */
void vrdma_kernel_set_ops(struct vrdma_dev *dev)
{
	if (!vrdma_has_kernel_verbs(dev))
		return;

	vrdma_kernel_mr_set_ops(dev);
	vrdma_kernel_cq_set_ops(dev);
	vrdma_kernel_srq_set_ops(dev);
	vrdma_kernel_qp_set_ops(dev);
	vrdma_kernel_ah_set_ops(dev);
}
