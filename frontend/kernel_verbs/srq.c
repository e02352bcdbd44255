// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: shared receive queues of the kernel. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "core/dev.h"
#include "kernel_verbs/queues.h"
#include "verbs/srq.h"

static void vrdma_ksrq_free(struct vrdma_dev *dev, struct vrdma_ksrq *ksrq)
{
	vrdma_ring_unmap(dev, &ksrq->ring);
	bitmap_free(ksrq->posted);
	kvfree(ksrq->wrs);
	kfree(ksrq);
}

static int vrdma_ksrq_create(struct vrdma_dev *dev, struct vrdma_srq *srq,
			     const struct mminfo *info, u32 max_sge)
{
	struct vrdma_ksrq *ksrq;
	int err;

	if (max_sge > VRDMA_MAX_KERNEL_SGE)
		return -EINVAL;

	ksrq = kzalloc(sizeof(*ksrq), GFP_KERNEL);
	if (!ksrq)
		return -ENOMEM;
	spin_lock_init(&ksrq->lock);
	ksrq->max_sge = max_sge;

	err = vrdma_ring_map(dev, &ksrq->ring, info, vrdma_recv_entry_size(max_sge));
	if (err) {
		kfree(ksrq);
		return err;
	}

	ksrq->count = ksrq->ring.mask;
	ksrq->wrs = kvcalloc(ksrq->count, sizeof(*ksrq->wrs), GFP_KERNEL);
	ksrq->posted = bitmap_zalloc(ksrq->count, GFP_KERNEL);
	if (!ksrq->wrs || !ksrq->posted) {
		vrdma_ksrq_free(dev, ksrq);
		return -ENOMEM;
	}
	srq->ksrq = ksrq;
	return 0;
}

static int vrdma_kernel_create_srq(struct ib_srq *ibsrq, struct ib_srq_init_attr *init_attr,
				   struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibsrq->device);
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);
	struct rxe_create_srq_resp answer;
	int err;

	if (udata)
		return vrdma_create_srq(ibsrq, init_attr, udata);

	err = vrdma_srq_acquire(dev, srq, init_attr, NULL, &answer, sizeof(answer));
	if (err)
		return err;

	err = vrdma_ksrq_create(dev, srq, &answer.mi, init_attr->attr.max_sge);
	if (err) {
		vrdma_srq_release(dev, srq);
		return err;
	}

	err = vrdma_srq_show(dev, srq);
	if (err)
		vrdma_ksrq_free(dev, srq->ksrq);
	return err;
}

static int vrdma_kernel_destroy_srq(struct ib_srq *ibsrq, struct ib_udata *udata)
{
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);
	struct vrdma_ksrq *ksrq = srq->ksrq;
	int err = vrdma_destroy_srq(ibsrq, udata);

	if (!err && ksrq)
		vrdma_ksrq_free(to_vrdma_dev(ibsrq->device), ksrq);
	return err;
}

static const struct ib_device_ops vrdma_kernel_srq_ops = {
	.create_srq = vrdma_kernel_create_srq,
	.destroy_srq = vrdma_kernel_destroy_srq,
	.post_srq_recv = vrdma_post_srq_recv,
};

void vrdma_kernel_srq_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_SRQ))
		ib_set_device_ops(&dev->ibdev, &vrdma_kernel_srq_ops);
}
