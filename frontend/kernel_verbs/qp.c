// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: the kernel's side of the queues that it has itself. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <rdma/ib_user_verbs.h>

#include "kernel_verbs/kernel_verbs.h"

static u32 vrdma_send_entry_size(u32 max_sge, u32 max_inline)
{
	return sizeof(struct rxe_send_wqe) +
	       max_t(u32, max_sge * sizeof(struct rxe_sge), max_inline);
}

static u32 vrdma_recv_entry_size(u32 max_sge)
{
	return sizeof(struct rxe_recv_wqe) + max_sge * sizeof(struct rxe_sge);
}

int vrdma_kcq_create(struct vrdma_dev *dev, struct vrdma_cq *cq, struct vrdma_cmd *cmd)
{
	struct rxe_create_cq_resp answer;
	struct vrdma_kcq *kcq;
	int err;

	err = vrdma_cmd_copy_answer(cmd, &answer, sizeof(answer));
	if (err)
		return err;

	kcq = kzalloc(sizeof(*kcq), GFP_KERNEL);
	if (!kcq)
		return -ENOMEM;
	spin_lock_init(&kcq->lock);
	INIT_LIST_HEAD(&kcq->send_qps);
	INIT_LIST_HEAD(&kcq->recv_qps);

	err = vrdma_ring_map(dev, &kcq->ring, &answer.mi, sizeof(struct ib_uverbs_wc));
	if (err) {
		kfree(kcq);
		return err;
	}
	cq->kcq = kcq;
	return 0;
}

/*
 * After the last event: one that was under way may have queued the work again that
 * ib_free_cq() cancels.
 */
void vrdma_kcq_quiesce(struct vrdma_cq *cq)
{
	if (cq->kcq && (cq->ibcq.poll_ctx == IB_POLL_WORKQUEUE ||
			cq->ibcq.poll_ctx == IB_POLL_UNBOUND_WORKQUEUE))
		cancel_work_sync(&cq->ibcq.work);
}

void vrdma_kcq_free(struct vrdma_dev *dev, struct vrdma_cq *cq)
{
	if (!cq->kcq)
		return;

	vrdma_ring_unmap(dev, &cq->kcq->ring);
	kfree(cq->kcq);
	cq->kcq = NULL;
}

static void vrdma_ksrq_destroy(struct vrdma_dev *dev, struct vrdma_ksrq *ksrq)
{
	vrdma_ring_unmap(dev, &ksrq->ring);
	bitmap_free(ksrq->posted);
	kvfree(ksrq->wrs);
	kfree(ksrq);
}

int vrdma_ksrq_create(struct vrdma_dev *dev, struct vrdma_srq *srq, struct vrdma_cmd *cmd,
		      u32 max_sge)
{
	struct rxe_create_srq_resp answer;
	struct vrdma_ksrq *ksrq;
	int err;

	err = vrdma_cmd_copy_answer(cmd, &answer, sizeof(answer));
	if (err)
		return err;
	if (max_sge > VRDMA_MAX_KERNEL_SGE)
		return -EINVAL;

	ksrq = kzalloc(sizeof(*ksrq), GFP_KERNEL);
	if (!ksrq)
		return -ENOMEM;
	spin_lock_init(&ksrq->lock);
	ksrq->max_sge = max_sge;

	err = vrdma_ring_map(dev, &ksrq->ring, &answer.mi, vrdma_recv_entry_size(max_sge));
	if (err) {
		kfree(ksrq);
		return err;
	}

	ksrq->count = ksrq->ring.mask;
	ksrq->wrs = kvcalloc(ksrq->count, sizeof(*ksrq->wrs), GFP_KERNEL);
	ksrq->posted = bitmap_zalloc(ksrq->count, GFP_KERNEL);
	if (!ksrq->wrs || !ksrq->posted) {
		vrdma_ksrq_destroy(dev, ksrq);
		return -ENOMEM;
	}
	srq->ksrq = ksrq;
	return 0;
}

void vrdma_ksrq_free(struct vrdma_dev *dev, struct vrdma_srq *srq)
{
	if (srq->ksrq)
		vrdma_ksrq_destroy(dev, srq->ksrq);
	srq->ksrq = NULL;
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

/* @qp->cap is what the device says that the queue pair has. */
int vrdma_kqp_create(struct vrdma_dev *dev, struct vrdma_qp *qp, struct vrdma_cmd *cmd)
{
	const struct ib_qp_cap *cap = &qp->cap;
	struct rxe_create_qp_resp answer;
	struct vrdma_kqp *kqp;
	int err;

	err = vrdma_cmd_copy_answer(cmd, &answer, sizeof(answer));
	if (err)
		return err;
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

	err = vrdma_wq_create(dev, &kqp->sq, &answer.sq_mi,
			      vrdma_send_entry_size(cap->max_send_sge, cap->max_inline_data));
	if (!err && !qp->ibqp.srq)
		err = vrdma_wq_create(dev, &kqp->rq, &answer.rq_mi,
				      vrdma_recv_entry_size(cap->max_recv_sge));
	if (err)
		vrdma_kqp_free(dev, qp);
	return err;
}

void vrdma_kqp_free(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	struct vrdma_kqp *kqp = qp->kqp;

	if (!kqp)
		return;

	vrdma_wq_free(dev, &kqp->sq);
	vrdma_wq_free(dev, &kqp->rq);
	kfree(kqp);
	qp->kqp = NULL;
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

/* From here on, its completions are found by its number. */
int vrdma_kqp_show(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	int err;

	err = xa_insert_irq(&dev->kernel_qps, qp->ibqp.qp_num, &qp->tracked, GFP_KERNEL);
	if (err)
		return err == -EBUSY ? -EIO : err;

	vrdma_kcq_link(qp->ibqp.send_cq, &qp->kqp->send_entry, true);
	vrdma_kcq_link(qp->ibqp.recv_cq, &qp->kqp->recv_entry, false);
	return 0;
}

void vrdma_kqp_hide(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	vrdma_kcq_unlink(qp->ibqp.recv_cq, &qp->kqp->recv_entry);
	vrdma_kcq_unlink(qp->ibqp.send_cq, &qp->kqp->send_entry);
	vrdma_hide(&dev->kernel_qps, qp->ibqp.qp_num);
}

/* What was posted is forgotten; late completions of it have numbers that are none any more. */
static void vrdma_wq_reset(struct vrdma_wq *wq)
{
	unsigned long flags;

	spin_lock_irqsave(&wq->lock, flags);
	wq->ring.index = 0;
	wq->tail = wq->head;
	spin_unlock_irqrestore(&wq->lock, flags);
}

/*
 * The device that would take the queue pair to the error state is given up.  Nobody
 * else says to the users of an SRQ that its last one is done with it (IBTA 1.4,
 * 11.6.3.1), and ib_drain_qp() waits for that.
 */
void vrdma_kqp_lost(struct vrdma_qp *qp)
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
void vrdma_kqp_modified(struct vrdma_qp *qp, enum ib_qp_state state)
{
	WRITE_ONCE(qp->kqp->error, state == IB_QPS_ERR);
	if (state == IB_QPS_RESET) {
		vrdma_wq_reset(&qp->kqp->sq);
		vrdma_wq_reset(&qp->kqp->rq);
	}
}

/*
 * Nothing completes any more when the device is dead: the users of armed CQs are
 * told to poll, and find their work requests flushed.
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

void vrdma_kcq_notify(struct vrdma_cq *cq)
{
	if (xchg(&cq->kcq->armed, false) && cq->ibcq.comp_handler)
		cq->ibcq.comp_handler(&cq->ibcq, cq->ibcq.cq_context);
}

void vrdma_kernel_init(struct vrdma_dev *dev)
{
	dev->kernel_uctx = VRDMA_NO_HANDLE;
	INIT_WORK(&dev->flush_work, vrdma_flush_work);
	xa_init_flags(&dev->kernel_qps, XA_FLAGS_LOCK_IRQ);
}

int vrdma_kernel_start(struct vrdma_dev *dev)
{
	if (!vrdma_kernel_verbs(dev))
		return 0;
	return vrdma_cmd_acquire(dev, VRDMA_CMD_ALLOC_UCONTEXT, VRDMA_CMD_DEALLOC_UCONTEXT,
				 VRDMA_NO_HANDLE, NULL, &dev->kernel_uctx);
}

/* To be called whenever the device has been stopped. */
void vrdma_kernel_flush(struct vrdma_dev *dev)
{
	if (vrdma_kernel_verbs(dev))
		queue_work(system_unbound_wq, &dev->flush_work);
}

/* No kernel user has anything any more. */
void vrdma_kernel_stop(struct vrdma_dev *dev)
{
	cancel_work_sync(&dev->flush_work);
	if (dev->kernel_uctx != VRDMA_NO_HANDLE)
		vrdma_cmd_release(dev, VRDMA_CMD_DEALLOC_UCONTEXT, dev->kernel_uctx,
				  dev->kernel_uctx);
	dev->kernel_uctx = VRDMA_NO_HANDLE;
}
