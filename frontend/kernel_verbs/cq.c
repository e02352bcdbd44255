// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: completion queues of the kernel. */
#include <linux/slab.h>
#include <rdma/ib_user_verbs.h>

#include "core/dev.h"
#include "kernel_verbs/queues.h"
#include "verbs/cq.h"

static int vrdma_kcq_create(struct vrdma_dev *dev, struct vrdma_cq *cq, const struct mminfo *info)
{
	struct vrdma_kcq *kcq;
	int err;

	kcq = kzalloc(sizeof(*kcq), GFP_KERNEL);
	if (!kcq)
		return -ENOMEM;
	spin_lock_init(&kcq->lock);
	INIT_LIST_HEAD(&kcq->send_qps);
	INIT_LIST_HEAD(&kcq->recv_qps);

	err = vrdma_ring_map(dev, &kcq->ring, info, sizeof(struct ib_uverbs_wc));
	if (err) {
		kfree(kcq);
		return err;
	}
	cq->kcq = kcq;
	return 0;
}

/*
 * To be called after the last event.  An event that was under way may have queued the work
 * that ib_free_cq() cancels again.
 */
static void vrdma_kcq_quiesce(struct vrdma_cq *cq)
{
	if (cq->ibcq.poll_ctx == IB_POLL_WORKQUEUE ||
	    cq->ibcq.poll_ctx == IB_POLL_UNBOUND_WORKQUEUE)
		cancel_work_sync(&cq->ibcq.work);
}

static void vrdma_kcq_free(struct vrdma_dev *dev, struct vrdma_cq *cq)
{
	vrdma_ring_unmap(dev, &cq->kcq->ring);
	kfree(cq->kcq);
	cq->kcq = NULL;
}

void vrdma_kcq_notify(struct vrdma_cq *cq)
{
	if (xchg(&cq->kcq->armed, false) && cq->ibcq.comp_handler)
		cq->ibcq.comp_handler(&cq->ibcq, cq->ibcq.cq_context);
}

static int vrdma_kernel_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
				  struct vrdma_cq_attrs *attrs)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);
	struct rxe_create_cq_resp answer;
	int err;

	if (vrdma_cq_udata(attrs))
		return vrdma_create_cq(ibcq, attr, attrs);

	cq->uctx = dev->kernel_uctx;
	cq->completed = vrdma_kcq_notify;
	err = vrdma_cq_acquire(dev, cq, attr, NULL, &answer, sizeof(answer));
	if (err)
		return err;

	err = vrdma_kcq_create(dev, cq, &answer.mi);
	if (err) {
		vrdma_cq_release(dev, cq);
		return err;
	}

	err = vrdma_cq_show(dev, cq);
	if (err)
		vrdma_kcq_free(dev, cq);
	return err;
}

static int vrdma_kernel_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);

	if (!cq->kcq)
		return vrdma_destroy_cq(ibcq, udata);

	vrdma_untrack(&dev->cqs, cq->handle, &cq->tracked);
	vrdma_kcq_quiesce(cq);
	vrdma_cq_release(dev, cq);
	vrdma_kcq_free(dev, cq);
	return 0;
}

/*
 * The kernel arms in any context.  Its CQs belong to RNICs that need not be told:
 * VRDMA_F_KERNEL_VERBS excludes VRDMA_F_CQ_DOORBELL.
 */
static int vrdma_kernel_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags)
{
	bool solicited = (flags & IB_CQ_SOLICITED_MASK) == IB_CQ_SOLICITED;
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);

	if (!cq->kcq)
		return vrdma_req_notify_cq(ibcq, flags);

	/* The arm comes before the look at the state: the device's end notifies armed CQs. */
	smp_store_mb(cq->kcq->armed, true);
	if (vrdma_alive(dev))
		vrdma_cq_arm_polled(dev, cq, solicited);
	return flags & IB_CQ_REPORT_MISSED_EVENTS && vrdma_kcq_pending(dev, cq->kcq);
}

static const struct ib_device_ops vrdma_kernel_cq_ops = {
	.create_cq = vrdma_kernel_create_cq,
	.destroy_cq = vrdma_kernel_destroy_cq,
	.poll_cq = vrdma_poll_cq,
	.req_notify_cq = vrdma_kernel_req_notify_cq,
};

void vrdma_kernel_cq_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_kernel_cq_ops);
}
