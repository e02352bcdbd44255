// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: work requests of the kernel. */
#include "core/dev.h"
#include "core/doorbells.h"
#include "kernel_verbs/kernel_verbs.h"
#include "kernel_verbs/queues.h"
#include "verbs/ah.h"
#include "verbs/mr.h"
#include "verbs/qp.h"
#include "verbs/srq.h"

#define VRDMA_SEND_FLAGS	(IB_SEND_FENCE | IB_SEND_SIGNALED | IB_SEND_SOLICITED | \
				 IB_SEND_INLINE)

#define VRDMA_MAX_MESSAGE	BIT(31)

#define VRDMA_ON_RC	BIT(IB_QPT_RC)
#define VRDMA_ON_UC	BIT(IB_QPT_UC)
#define VRDMA_ON_UD	(BIT(IB_QPT_UD) | BIT(IB_QPT_GSI))

/* Each kind of work request: the opcode of its completion, and the queue pairs that have it. */
static const struct {
	enum ib_wc_opcode completion;
	u32 types;
	bool inlines;
} vrdma_send_kinds[] = {
	[IB_WR_RDMA_WRITE] = { IB_WC_RDMA_WRITE, VRDMA_ON_RC | VRDMA_ON_UC, true },
	[IB_WR_RDMA_WRITE_WITH_IMM] = { IB_WC_RDMA_WRITE, VRDMA_ON_RC | VRDMA_ON_UC, true },
	[IB_WR_SEND] = { IB_WC_SEND, VRDMA_ON_RC | VRDMA_ON_UC | VRDMA_ON_UD, true },
	[IB_WR_SEND_WITH_IMM] = { IB_WC_SEND, VRDMA_ON_RC | VRDMA_ON_UC | VRDMA_ON_UD, true },
	[IB_WR_SEND_WITH_INV] = { IB_WC_SEND, VRDMA_ON_RC, true },
	[IB_WR_RDMA_READ] = { IB_WC_RDMA_READ, VRDMA_ON_RC, false },
	[IB_WR_ATOMIC_CMP_AND_SWP] = { IB_WC_COMP_SWAP, VRDMA_ON_RC, false },
	[IB_WR_ATOMIC_FETCH_AND_ADD] = { IB_WC_FETCH_ADD, VRDMA_ON_RC, false },
	[IB_WR_LOCAL_INV] = { IB_WC_LOCAL_INV, VRDMA_ON_RC | VRDMA_ON_UC, false },
	[IB_WR_REG_MR] = { IB_WC_REG_MR, VRDMA_ON_RC | VRDMA_ON_UC, false },
};

static int vrdma_sges_length(const struct ib_sge *sges, int count, u32 max_sge, u32 *length)
{
	u64 sum = 0;
	int i;

	if (count < 0 || count > max_sge)
		return -EINVAL;

	for (i = 0; i < count; i++)
		sum += sges[i].length;
	if (sum > VRDMA_MAX_MESSAGE)
		return -EINVAL;
	*length = sum;
	return 0;
}

static void vrdma_fill_dma(struct rxe_dma_info *dma, const struct ib_sge *sges, int count,
			   u32 length)
{
	int i;

	dma->length = length;
	dma->resid = length;
	dma->num_sge = count;
	for (i = 0; i < count; i++) {
		dma->sge[i].addr = sges[i].addr;
		dma->sge[i].length = sges[i].length;
		dma->sge[i].lkey = sges[i].lkey;
	}
}

/* Addresses of inline data are kernel pointers, also where DMA addresses differ from them. */
static void vrdma_fill_inline(struct rxe_dma_info *dma, const struct ib_sge *sges, int count,
			      u32 length)
{
	u8 *to = dma->inline_data;
	int i;

	dma->length = length;
	dma->resid = length;
	for (i = 0; i < count; i++) {
		memcpy(to, (void *)(uintptr_t)sges[i].addr, sges[i].length);
		to += sges[i].length;
	}
}

static void vrdma_fill_ud(struct rxe_send_wr *to, const struct ib_ud_wr *from)
{
	to->wr.ud.remote_qpn = from->remote_qpn;
	to->wr.ud.remote_qkey = from->remote_qkey;
	to->wr.ud.pkey_index = from->pkey_index;
	/* ah_num stays 0: the device has no address handle of the kernel. */
	*vrdma_rxe_av(to) = to_vrdma_ah(from->ah)->av;
}

static void vrdma_fill_reg(struct rxe_send_wr *to, const struct ib_reg_wr *from)
{
	vrdma_kmr_prepare(to_vrdma_mr(from->mr));
	to->wr.reg.key = from->key;
	to->wr.reg.access = from->access;
}

static void vrdma_fill_send(struct rxe_send_wr *to, const struct ib_qp *ibqp,
			    const struct ib_send_wr *from)
{
	to->opcode = from->opcode;
	to->send_flags = from->send_flags & VRDMA_SEND_FLAGS;

	switch (from->opcode) {
	case IB_WR_SEND_WITH_INV:
	case IB_WR_LOCAL_INV:
		to->ex.invalidate_rkey = from->ex.invalidate_rkey;
		break;
	case IB_WR_SEND_WITH_IMM:
	case IB_WR_RDMA_WRITE_WITH_IMM:
		to->ex.imm_data = from->ex.imm_data;
		break;
	default:
		break;
	}

	if (ibqp->qp_type == IB_QPT_UD || ibqp->qp_type == IB_QPT_GSI) {
		vrdma_fill_ud(to, ud_wr(from));
		return;
	}

	switch (from->opcode) {
	case IB_WR_RDMA_WRITE:
	case IB_WR_RDMA_WRITE_WITH_IMM:
	case IB_WR_RDMA_READ:
		to->wr.rdma.remote_addr = rdma_wr(from)->remote_addr;
		to->wr.rdma.rkey = rdma_wr(from)->rkey;
		break;
	case IB_WR_ATOMIC_CMP_AND_SWP:
	case IB_WR_ATOMIC_FETCH_AND_ADD:
		to->wr.atomic.remote_addr = atomic_wr(from)->remote_addr;
		to->wr.atomic.compare_add = atomic_wr(from)->compare_add;
		to->wr.atomic.swap = atomic_wr(from)->swap;
		to->wr.atomic.rkey = atomic_wr(from)->rkey;
		break;
	case IB_WR_REG_MR:
		vrdma_fill_reg(to, reg_wr(from));
		break;
	default:
		break;
	}
}

static int vrdma_check_send(const struct vrdma_qp *qp, const struct ib_send_wr *wr, u32 *length)
{
	const struct vrdma_wq *sq = &qp->kqp->sq;
	u32 max_sge = sq->max_sge;

	if (wr->opcode >= ARRAY_SIZE(vrdma_send_kinds) ||
	    !(vrdma_send_kinds[wr->opcode].types & BIT(qp->ibqp.qp_type)))
		return -EINVAL;
	if (wr->opcode == IB_WR_REG_MR && !to_vrdma_mr(reg_wr(wr)->mr)->fast_reg)
		return -EINVAL;
	if (BIT(qp->ibqp.qp_type) & VRDMA_ON_UD && !to_vrdma_ah(ud_wr(wr)->ah)->kernel)
		return -EINVAL;

	if (wr->send_flags & IB_SEND_INLINE) {
		if (!vrdma_send_kinds[wr->opcode].inlines)
			return -EINVAL;
		max_sge = INT_MAX;
	}
	if (vrdma_sges_length(wr->sg_list, wr->num_sge, max_sge, length))
		return -EINVAL;
	if (wr->send_flags & IB_SEND_INLINE && *length > sq->max_inline)
		return -EINVAL;
	return 0;
}

static void vrdma_write_send(struct vrdma_qp *qp, const struct ib_send_wr *wr, u32 length)
{
	struct vrdma_wq *sq = &qp->kqp->sq;
	struct rxe_send_wqe *wqe = vrdma_ring_entry(&sq->ring);

	memset(wqe, 0, sizeof(*wqe));
	wqe->wr.wr_id = (u64)VRDMA_WR_SEND << VRDMA_WR_KIND_SHIFT | sq->head;
	vrdma_fill_send(&wqe->wr, &qp->ibqp, wr);
	if (wr->send_flags & IB_SEND_INLINE)
		vrdma_fill_inline(&wqe->dma, wr->sg_list, wr->num_sge, length);
	else
		vrdma_fill_dma(&wqe->dma, wr->sg_list, wr->num_sge, length);
	vrdma_ring_produce(&sq->ring);
}

/*
 * With wq->lock.  A dead device reads nothing any more: a work request that is posted then is
 * only flushed.
 */
static int vrdma_wq_room(struct vrdma_wq *wq, bool dead)
{
	if (wq->head - wq->tail >= wq->ring.mask)
		return -ENOMEM;
	return !dead && vrdma_ring_full(&wq->ring) ? -ENOMEM : 0;
}

static void vrdma_wq_push(struct vrdma_wq *wq, u64 wr_id, enum ib_wc_opcode opcode, u32 length)
{
	struct vrdma_wr *wr = vrdma_wq_wr(wq, wq->head);

	wr->wr_id = wr_id;
	wr->opcode = opcode;
	wr->length = length;
	wq->head++;
}

static int vrdma_post_one_send(struct vrdma_qp *qp, const struct ib_send_wr *wr, bool dead)
{
	struct vrdma_wq *sq = &qp->kqp->sq;
	u32 length;
	int err;

	err = vrdma_check_send(qp, wr, &length);
	if (err)
		return err;
	err = vrdma_wq_room(sq, dead);
	if (err)
		return err;

	if (!dead)
		vrdma_write_send(qp, wr, length);
	vrdma_wq_push(sq, wr->wr_id, vrdma_send_kinds[wr->opcode].completion, length);
	return 0;
}

/*
 * To be called after work requests were posted.  The device may have been stopped meanwhile:
 * then either the flush at its end sees them, or this sees the end.
 */
static void vrdma_posted(struct vrdma_dev *dev, struct vrdma_qp *qp, bool ring)
{
	if (vrdma_dead(dev))
		vrdma_kernel_flush(dev);
	else if (ring && vrdma_alive(dev))
		vrdma_doorbell_qp(dev, qp->handle);
}

int vrdma_kernel_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
			   const struct ib_send_wr **bad_wr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	bool dead = vrdma_dead(dev);
	struct vrdma_wq *sq;
	unsigned long flags;
	bool any = false;
	int err = 0;

	BUILD_BUG_ON(sizeof(struct rxe_send_wqe) != 208);

	if (!qp->kqp)
		return vrdma_post_send(ibqp, wr, bad_wr);

	sq = &qp->kqp->sq;
	spin_lock_irqsave(&sq->lock, flags);
	for (; wr; wr = wr->next) {
		err = vrdma_post_one_send(qp, wr, dead);
		if (err) {
			*bad_wr = wr;
			break;
		}
		any = true;
	}
	spin_unlock_irqrestore(&sq->lock, flags);

	if (any)
		vrdma_posted(dev, qp, true);
	return err;
}

static void vrdma_write_recv(struct vrdma_ring *ring, u64 name, const struct ib_recv_wr *wr,
			     u32 length)
{
	struct rxe_recv_wqe *wqe = vrdma_ring_entry(ring);

	memset(wqe, 0, sizeof(*wqe));
	wqe->wr_id = name;
	vrdma_fill_dma(&wqe->dma, wr->sg_list, wr->num_sge, length);
	vrdma_ring_produce(ring);
}

static int vrdma_post_one_recv(struct vrdma_wq *rq, const struct ib_recv_wr *wr, bool dead)
{
	u32 length;
	int err;

	err = vrdma_sges_length(wr->sg_list, wr->num_sge, rq->max_sge, &length);
	if (err)
		return err;
	err = vrdma_wq_room(rq, dead);
	if (err)
		return err;

	if (!dead)
		vrdma_write_recv(&rq->ring,
				 (u64)VRDMA_WR_RECV << VRDMA_WR_KIND_SHIFT | rq->head, wr, length);
	vrdma_wq_push(rq, wr->wr_id, IB_WC_RECV, length);
	return 0;
}

int vrdma_post_recv(struct ib_qp *ibqp, const struct ib_recv_wr *wr,
		    const struct ib_recv_wr **bad_wr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	bool dead = vrdma_dead(dev);
	struct vrdma_wq *rq;
	unsigned long flags;
	bool any = false;
	int err = 0;

	if (!qp->kqp || ibqp->srq) {
		*bad_wr = wr;
		return qp->kqp ? -EINVAL : -EOPNOTSUPP;
	}

	rq = &qp->kqp->rq;
	spin_lock_irqsave(&rq->lock, flags);
	for (; wr; wr = wr->next) {
		err = vrdma_post_one_recv(rq, wr, dead);
		if (err) {
			*bad_wr = wr;
			break;
		}
		any = true;
	}
	spin_unlock_irqrestore(&rq->lock, flags);

	/* Messages bring the device to look; in the error state there are none. */
	if (any)
		vrdma_posted(dev, qp, READ_ONCE(qp->kqp->error));
	return err;
}

static int vrdma_post_one_srq_recv(struct vrdma_ksrq *ksrq, const struct ib_recv_wr *wr, bool dead)
{
	u32 length, place;
	int err;

	err = vrdma_sges_length(wr->sg_list, wr->num_sge, ksrq->max_sge, &length);
	if (err)
		return err;
	if (!dead && vrdma_ring_full(&ksrq->ring))
		return -ENOMEM;

	place = find_next_zero_bit(ksrq->posted, ksrq->count, ksrq->hint);
	if (place >= ksrq->count)
		place = find_first_zero_bit(ksrq->posted, ksrq->count);
	if (place >= ksrq->count)
		return -ENOMEM;

	__set_bit(place, ksrq->posted);
	ksrq->hint = place + 1;
	ksrq->wrs[place].wr_id = wr->wr_id;
	ksrq->wrs[place].opcode = IB_WC_RECV;
	ksrq->wrs[place].length = length;
	if (!dead)
		vrdma_write_recv(&ksrq->ring,
				 (u64)VRDMA_WR_SRQ_RECV << VRDMA_WR_KIND_SHIFT | place, wr, length);
	return 0;
}

int vrdma_post_srq_recv(struct ib_srq *ibsrq, const struct ib_recv_wr *wr,
			const struct ib_recv_wr **bad_wr)
{
	struct vrdma_ksrq *ksrq = to_vrdma_srq(ibsrq)->ksrq;
	bool dead = vrdma_dead(to_vrdma_dev(ibsrq->device));
	unsigned long flags;
	int err = 0;

	if (!ksrq) {
		*bad_wr = wr;
		return -EOPNOTSUPP;
	}

	spin_lock_irqsave(&ksrq->lock, flags);
	for (; wr; wr = wr->next) {
		err = vrdma_post_one_srq_recv(ksrq, wr, dead);
		if (err) {
			*bad_wr = wr;
			break;
		}
	}
	spin_unlock_irqrestore(&ksrq->lock, flags);

	return err;
}
