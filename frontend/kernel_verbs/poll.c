// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: completions for the kernel. */
#include <linux/if_vlan.h>
#include <rdma/ib_user_verbs.h>

#include "core/dev.h"
#include "kernel_verbs/queues.h"
#include "verbs/cq.h"
#include "verbs/qp.h"
#include "verbs/srq.h"

/* Keeps the queue pair of the last completion, which the next one often is of, too. */
struct vrdma_poll {
	struct vrdma_dev *dev;
	struct vrdma_cq *cq;
	struct vrdma_qp *qp;
};

static void vrdma_poll_put(struct vrdma_poll *poll)
{
	if (poll->qp)
		vrdma_tracked_put(&poll->qp->tracked);
	poll->qp = NULL;
}

static struct vrdma_qp *vrdma_poll_qp(struct vrdma_poll *poll, u32 number)
{
	struct vrdma_tracked *tracked;

	if (poll->qp && poll->qp->ibqp.qp_num == number)
		return poll->qp;

	vrdma_poll_put(poll);
	tracked = vrdma_tracked_get(&poll->dev->kernel_qps, number);
	if (tracked)
		poll->qp = container_of(tracked, struct vrdma_qp, tracked);
	return poll->qp;
}

/* Work requests before @number have completed as well, without completions of their own. */
static bool vrdma_wq_take(struct vrdma_wq *wq, u32 number, struct vrdma_wr *wr)
{
	unsigned long flags;
	bool posted;

	spin_lock_irqsave(&wq->lock, flags);
	posted = number - wq->tail < wq->head - wq->tail;
	if (posted) {
		*wr = *vrdma_wq_wr(wq, number);
		wq->tail = number + 1;
	}
	spin_unlock_irqrestore(&wq->lock, flags);

	return posted;
}

static bool vrdma_ksrq_take(struct vrdma_ksrq *ksrq, u32 place, struct vrdma_wr *wr)
{
	unsigned long flags;
	bool posted;

	spin_lock_irqsave(&ksrq->lock, flags);
	posted = place < ksrq->count && __test_and_clear_bit(place, ksrq->posted);
	if (posted) {
		*wr = ksrq->wrs[place];
		ksrq->hint = place;
	}
	spin_unlock_irqrestore(&ksrq->lock, flags);

	return posted;
}

/* Finds and takes the work request of @qp that @name says, if it completes in this CQ. */
static bool vrdma_poll_take(struct vrdma_poll *poll, struct vrdma_qp *qp, u64 name,
			    struct vrdma_wr *wr)
{
	const struct ib_cq *ibcq = &poll->cq->ibcq;
	u32 number = lower_32_bits(name);

	switch (name >> VRDMA_WR_KIND_SHIFT) {
	case VRDMA_WR_SEND:
		return qp->ibqp.send_cq == ibcq && vrdma_wq_take(&qp->kqp->sq, number, wr);
	case VRDMA_WR_RECV:
		return qp->ibqp.recv_cq == ibcq && vrdma_wq_take(&qp->kqp->rq, number, wr);
	case VRDMA_WR_SRQ_RECV:
		return qp->ibqp.recv_cq == ibcq && qp->ibqp.srq &&
		       vrdma_ksrq_take(to_vrdma_srq(qp->ibqp.srq)->ksrq, number, wr);
	default:
		return false;
	}
}

static void vrdma_fill_wc(struct ib_wc *wc, struct vrdma_qp *qp, const struct vrdma_wr *wr,
			  const struct ib_uverbs_wc *from)
{
	memset(wc, 0, sizeof(*wc));
	wc->wr_id = wr->wr_id;
	wc->status = min_t(u32, from->status, IB_WC_GENERAL_ERR);
	wc->opcode = wr->opcode;
	wc->vendor_err = from->vendor_err;
	wc->byte_len = from->byte_len;
	wc->qp = &qp->ibqp;
	wc->port_num = VRDMA_PORT;
	if (wr->opcode != IB_WC_RECV)
		return;

	if (from->opcode == IB_WC_RECV_RDMA_WITH_IMM)
		wc->opcode = IB_WC_RECV_RDMA_WITH_IMM;
	else
		/* Users read so many bytes of their buffer: it must not be longer than that. */
		wc->byte_len = min(from->byte_len, wr->length);
	wc->src_qp = from->src_qp;
	wc->wc_flags = from->wc_flags & (IB_WC_GRH | IB_WC_WITH_IMM);
	if (from->sl == VRDMA_WC_UDP_IPV4 || from->sl == VRDMA_WC_UDP_IPV6) {
		wc->wc_flags |= IB_WC_WITH_NETWORK_HDR_TYPE;
		wc->network_hdr_type = from->sl == VRDMA_WC_UDP_IPV4 ? RDMA_NETWORK_IPV4 :
								       RDMA_NETWORK_IPV6;
	}
	if (from->wc_flags & VRDMA_WC_WITH_VLAN) {
		wc->wc_flags |= IB_WC_WITH_VLAN;
		wc->vlan_id = from->slid & VLAN_VID_MASK;
	}
	if (from->wc_flags & VRDMA_WC_WITH_INV) {
		wc->wc_flags |= IB_WC_WITH_INVALIDATE;
		wc->ex.invalidate_rkey = from->ex.invalidate_rkey;
	} else {
		wc->ex.imm_data = (__force __be32)from->ex.imm_data;
	}
}

/* Returns false for an entry of no posted work request, as after its queue pair's end. */
static bool vrdma_poll_one(struct vrdma_poll *poll, const struct ib_uverbs_wc *from,
			   struct ib_wc *wc)
{
	struct vrdma_qp *qp = vrdma_poll_qp(poll, from->qp_num);
	struct vrdma_wr wr;

	if (!qp || !vrdma_poll_take(poll, qp, from->wr_id, &wr))
		return false;

	vrdma_fill_wc(wc, qp, &wr, from);
	if (wc->status != IB_WC_SUCCESS)
		WRITE_ONCE(qp->kqp->error, true);
	return true;
}

static int vrdma_poll_ring(struct vrdma_poll *poll, int count, struct ib_wc *wc)
{
	struct vrdma_ring *ring = &poll->cq->kcq->ring;
	struct ib_uverbs_wc entry;
	u32 budget = ring->mask;
	int n = 0;

	/* The budget ends this also when the device goes on filling the ring with nonsense. */
	while (n < count && budget-- && !vrdma_ring_empty(ring)) {
		memcpy(&entry, vrdma_ring_entry(ring), sizeof(entry));
		vrdma_ring_consume(ring);
		if (vrdma_poll_one(poll, &entry, &wc[n]))
			n++;
	}
	return n;
}

static int vrdma_flush_wq(struct vrdma_wq *wq, struct vrdma_qp *qp, int count, struct ib_wc *wc)
{
	unsigned long flags;
	int n = 0;

	spin_lock_irqsave(&wq->lock, flags);
	for (; n < count && wq->tail != wq->head; n++, wq->tail++) {
		const struct vrdma_wr *wr = vrdma_wq_wr(wq, wq->tail);

		memset(&wc[n], 0, sizeof(wc[n]));
		wc[n].wr_id = wr->wr_id;
		wc[n].status = IB_WC_WR_FLUSH_ERR;
		wc[n].opcode = wr->opcode;
		wc[n].qp = &qp->ibqp;
		wc[n].port_num = VRDMA_PORT;
	}
	spin_unlock_irqrestore(&wq->lock, flags);

	return n;
}

/*
 * Every queue pair of a dead device is in the error state.  Work requests in an SRQ have no
 * queue pair, and stay there (IBTA 1.4, 10.2.9.6).
 */
static int vrdma_poll_flushed(struct vrdma_poll *poll, int count, struct ib_wc *wc)
{
	struct vrdma_kcq *kcq = poll->cq->kcq;
	struct vrdma_kqp *kqp;
	int n = 0;

	list_for_each_entry(kqp, &kcq->send_qps, send_entry)
		n += vrdma_flush_wq(&kqp->sq, kqp->qp, count - n, wc + n);
	list_for_each_entry(kqp, &kcq->recv_qps, recv_entry)
		n += vrdma_flush_wq(&kqp->rq, kqp->qp, count - n, wc + n);
	return n;
}

int vrdma_poll_cq(struct ib_cq *ibcq, int count, struct ib_wc *wc)
{
	struct vrdma_poll poll = {
		.dev = to_vrdma_dev(ibcq->device),
		.cq = to_vrdma_cq(ibcq),
	};
	struct vrdma_kcq *kcq = poll.cq->kcq;
	unsigned long flags;
	int n;

	if (!kcq)
		return -EOPNOTSUPP;

	spin_lock_irqsave(&kcq->lock, flags);
	if (vrdma_dead(poll.dev))
		n = vrdma_poll_flushed(&poll, count, wc);
	else
		n = vrdma_poll_ring(&poll, count, wc);
	vrdma_poll_put(&poll);
	spin_unlock_irqrestore(&kcq->lock, flags);

	return n;
}

static bool vrdma_wq_pending(struct vrdma_wq *wq)
{
	return READ_ONCE(wq->tail) != READ_ONCE(wq->head);
}

/* Returns whether a poll would find something. */
bool vrdma_kcq_pending(struct vrdma_dev *dev, struct vrdma_kcq *kcq)
{
	struct vrdma_kqp *kqp;
	unsigned long flags;
	bool pending;

	spin_lock_irqsave(&kcq->lock, flags);
	if (!vrdma_dead(dev)) {
		pending = !vrdma_ring_empty(&kcq->ring);
	} else {
		pending = false;
		list_for_each_entry(kqp, &kcq->send_qps, send_entry)
			pending |= vrdma_wq_pending(&kqp->sq);
		list_for_each_entry(kqp, &kcq->recv_qps, recv_entry)
			pending |= vrdma_wq_pending(&kqp->rq);
	}
	spin_unlock_irqrestore(&kcq->lock, flags);

	return pending;
}
