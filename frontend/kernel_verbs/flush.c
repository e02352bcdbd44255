// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the end of the kernel's work requests when the device is dead. */
#include "core/dev.h"
#include "kernel_verbs/kernel_verbs.h"
#include "kernel_verbs/queues.h"
#include "verbs/cq.h"

/*
 * Nothing completes any more when the device is dead.  The users of armed CQs are told to poll,
 * and find their work requests flushed.
 */
static void vrdma_flush_work(struct work_struct *work)
{
	struct vrdma_dev *dev = container_of(work, struct vrdma_dev, flush_work);
	struct vrdma_tracked *tracked;
	unsigned long handle = 0;

	while ((tracked = vrdma_tracked_next(&dev->cqs, &handle))) {
		struct vrdma_cq *cq = container_of(tracked, struct vrdma_cq, tracked);

		/* Completion handlers expect that softirqs are run after them. */
		local_bh_disable();
		if (cq->kcq)
			vrdma_kcq_notify(cq);
		local_bh_enable();
		vrdma_tracked_put(tracked);
		handle++;
	}
}

/* To be called whenever the device has been stopped. */
void vrdma_kernel_flush(struct vrdma_dev *dev)
{
	if (vrdma_has_kernel_verbs(dev))
		queue_work(system_unbound_wq, &dev->flush_work);
}

void vrdma_flush_init(struct vrdma_dev *dev)
{
	INIT_WORK(&dev->flush_work, vrdma_flush_work);
}

void vrdma_flush_stop(struct vrdma_dev *dev)
{
	cancel_work_sync(&dev->flush_work);
}
