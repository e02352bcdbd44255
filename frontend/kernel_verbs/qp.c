// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: queue pairs of the kernel. */
#include <linux/mm.h>
#include <linux/slab.h>

#include "core/dev.h"
#include "kernel_verbs/queues.h"
#include "verbs/cq.h"
#include "verbs/qp.h"

static u32 vrdma_send_entry_size(u32 max_sge, u32 max_inline)
{
	return sizeof(struct rxe_send_wqe) +
	       max_t(u32, max_sge * sizeof(struct rxe_sge), max_inline);
}

static int vrdma_wq_create(struct vrdma_dev *dev, struct vrdma_wq *wq, const struct mminfo *info,
			   u32 entry_size)
{
	int err;

	err = vrdma_ring_map(dev, &wq->ring, info, entry_size);
	if (err)
		return err;

	wq->wrs = kvcalloc(wq->ring.mask + 1, sizeof(*wq->wrs), GFP_KERNEL);
	return wq->wrs ? 0 : -ENOMEM;
}

static void vrdma_wq_free(struct vrdma_dev *dev, struct vrdma_wq *wq)
{
	vrdma_ring_unmap(dev, &wq->ring);
	kvfree(wq->wrs);
}

static void vrdma_kqp_free(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	struct vrdma_kqp *kqp = qp->kqp;

	vrdma_wq_free(dev, &kqp->sq);
	vrdma_wq_free(dev, &kqp->rq);
	kfree(kqp);
	qp->kqp = NULL;
}

/* @qp->cap is the device's word for what the queue pair has. */
static int vrdma_kqp_create(struct vrdma_dev *dev, struct vrdma_qp *qp,
			    const struct rxe_create_qp_resp *answer)
{
	const struct ib_qp_cap *cap = &qp->cap;
	struct vrdma_kqp *kqp;
	int err;

	if (cap->max_send_sge > VRDMA_MAX_KERNEL_SGE || cap->max_recv_sge > VRDMA_MAX_KERNEL_SGE ||
	    cap->max_inline_data > PAGE_SIZE)
		return -EIO;

	kqp = kzalloc(sizeof(*kqp), GFP_KERNEL);
	if (!kqp)
		return -ENOMEM;
	qp->kqp = kqp;
	kqp->qp = qp;
	INIT_LIST_HEAD(&kqp->send_entry);
	INIT_LIST_HEAD(&kqp->recv_entry);
	spin_lock_init(&kqp->sq.lock);
	spin_lock_init(&kqp->rq.lock);
	kqp->sq.max_sge = cap->max_send_sge;
	kqp->sq.max_inline = cap->max_inline_data;
	kqp->rq.max_sge = cap->max_recv_sge;

	err = vrdma_wq_create(dev, &kqp->sq, &answer->sq_mi,
			      vrdma_send_entry_size(cap->max_send_sge, cap->max_inline_data));
	if (!err && !qp->ibqp.srq)
		err = vrdma_wq_create(dev, &kqp->rq, &answer->rq_mi,
				      vrdma_recv_entry_size(cap->max_recv_sge));
	if (err)
		vrdma_kqp_free(dev, qp);
	return err;
}

static void vrdma_kcq_link(struct ib_cq *ibcq, struct list_head *entry, bool send)
{
	struct vrdma_kcq *kcq = to_vrdma_cq(ibcq)->kcq;
	unsigned long flags;

	spin_lock_irqsave(&kcq->lock, flags);
	list_add_tail(entry, send ? &kcq->send_qps : &kcq->recv_qps);
	spin_unlock_irqrestore(&kcq->lock, flags);
}

static void vrdma_kcq_unlink(struct ib_cq *ibcq, struct list_head *entry)
{
	struct vrdma_kcq *kcq = to_vrdma_cq(ibcq)->kcq;
	unsigned long flags;

	spin_lock_irqsave(&kcq->lock, flags);
	list_del_init(entry);
	spin_unlock_irqrestore(&kcq->lock, flags);
}

/* Completions find the QP by its number from here on. */
static int vrdma_kqp_show(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	int err;

	err = xa_insert_irq(&dev->kernel_qps, qp->ibqp.qp_num, &qp->tracked, GFP_KERNEL);
	if (err)
		return err == -EBUSY ? -EIO : err;

	vrdma_kcq_link(qp->ibqp.send_cq, &qp->kqp->send_entry, true);
	vrdma_kcq_link(qp->ibqp.recv_cq, &qp->kqp->recv_entry, false);
	return 0;
}

static void vrdma_kqp_hide(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	vrdma_kcq_unlink(qp->ibqp.recv_cq, &qp->kqp->recv_entry);
	vrdma_kcq_unlink(qp->ibqp.send_cq, &qp->kqp->send_entry);
	vrdma_hide(&dev->kernel_qps, qp->ibqp.qp_num);
}

/* Forgets all work requests.  Their numbers in late completions name none any more. */
static void vrdma_wq_reset(struct vrdma_wq *wq)
{
	unsigned long flags;

	spin_lock_irqsave(&wq->lock, flags);
	wq->ring.index = 0;
	wq->tail = wq->head;
	spin_unlock_irqrestore(&wq->lock, flags);
}

/*
 * For a queue pair whose user wants it in the error state after the device was given up.
 * ib_drain_qp() waits for the event that the queue pair is done with its SRQ (IBTA 1.4,
 * 11.6.3.1), which the device cannot send any more.
 */
static void vrdma_kqp_lost(struct vrdma_qp *qp)
{
	struct ib_event event = {
		.device = qp->ibqp.device,
		.element.qp = &qp->ibqp,
		.event = IB_EVENT_QP_LAST_WQE_REACHED,
	};

	if (qp->ibqp.srq && qp->ibqp.event_handler)
		qp->ibqp.event_handler(&event, qp->ibqp.qp_context);
}

/* The device has taken the queue pair to @state. */
static void vrdma_kqp_modified(struct vrdma_qp *qp, enum ib_qp_state state)
{
	WRITE_ONCE(qp->kqp->error, state == IB_QPS_ERR);
	if (state == IB_QPS_RESET) {
		vrdma_wq_reset(&qp->kqp->sq);
		vrdma_wq_reset(&qp->kqp->rq);
	}
}

static int vrdma_kernel_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *init_attr,
				  struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	struct rxe_create_qp_resp answer;
	int err;

	if (udata)
		return vrdma_create_qp(ibqp, init_attr, udata);

	err = vrdma_qp_acquire(dev, qp, init_attr, NULL, &answer, sizeof(answer));
	if (err)
		return err;

	err = vrdma_kqp_create(dev, qp, &answer);
	if (err) {
		vrdma_qp_release(dev, qp);
		return err;
	}
	err = vrdma_qp_show(dev, qp);
	if (err)
		goto err_free;
	err = vrdma_kqp_show(dev, qp);
	if (err)
		goto err_hide;

	vrdma_qp_fill_cap(qp, init_attr);
	return 0;

err_hide:
	vrdma_untrack(&dev->qps, qp->handle, &qp->tracked);
	vrdma_qp_release(dev, qp);
err_free:
	vrdma_kqp_free(dev, qp);
	return err;
}

static int vrdma_kernel_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
				  struct ib_udata *udata)
{
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	int err = vrdma_modify_qp(ibqp, attr, mask, udata);

	if (!qp->kqp || !(mask & IB_QP_STATE))
		return err;

	/* Queue pairs of a device that is given up are in error: ib_drain_qp() counts on it. */
	if (err && attr->qp_state == IB_QPS_ERR && !vrdma_alive(to_vrdma_dev(ibqp->device))) {
		vrdma_kqp_lost(qp);
		err = 0;
	}
	if (!err)
		vrdma_kqp_modified(qp, attr->qp_state);
	return err;
}

static int vrdma_kernel_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);

	if (!qp->kqp)
		return vrdma_destroy_qp(ibqp, udata);

	vrdma_kqp_hide(dev, qp);
	vrdma_untrack(&dev->qps, qp->handle, &qp->tracked);
	vrdma_qp_release(dev, qp);
	vrdma_kqp_free(dev, qp);
	return 0;
}

static const struct ib_device_ops vrdma_kernel_qp_ops = {
	.create_qp = vrdma_kernel_create_qp,
	.destroy_qp = vrdma_kernel_destroy_qp,
	.modify_qp = vrdma_kernel_modify_qp,
	.post_recv = vrdma_post_recv,
	.post_send = vrdma_kernel_post_send,
};

void vrdma_kernel_qp_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_kernel_qp_ops);
}
