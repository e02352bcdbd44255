/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma guest driver: queues of the kernel itself (VRDMA_F_KERNEL_VERBS).
 *
 * The queues of the kernel's users are those of <rdma/rdma_user_rxe.h>, mapped in the shared
 * memory region.  The device can write them at any time and is not believed: it sees work
 * requests by their place in a table of ours, which has what is handed to the user when one
 * completes.
 */
#ifndef VRDMA_KERNEL_VERBS_QUEUES_H
#define VRDMA_KERNEL_VERBS_QUEUES_H

#include <linux/bitmap.h>
#include <rdma/rdma_user_rxe.h>

#include "core/compat.h"
#include "core/dev.h"
#include "core/shm.h"

#define VRDMA_MAX_KERNEL_SGE		256

struct vrdma_cq;
struct vrdma_mr;
struct vrdma_qp;

struct vrdma_ring {
	struct vrdma_mapping mapping;
	struct rxe_queue_buf *buf;	/* the device writes here too */
	u32 mask;			/* entries - 1, one of which stays empty */
	u32 shift;			/* an entry has 1 << shift bytes */
	u32 index;			/* our next entry */
};

/* A work request that is posted. */
struct vrdma_wr {
	u64 wr_id;
	u32 length;
	enum ib_wc_opcode opcode;
};

/* A send queue or a receive queue: its work requests complete in order. */
struct vrdma_wq {
	spinlock_t lock;	/* protects all that follows */
	struct vrdma_ring ring;
	struct vrdma_wr *wrs;	/* index: number & ring.mask */
	u32 head;		/* number of the work request that is posted next */
	u32 tail;		/* number of the oldest that has not completed */
	u32 max_sge;
	u32 max_inline;
};

struct vrdma_kqp {
	struct vrdma_qp *qp;
	struct vrdma_wq sq;
	struct vrdma_wq rq;	/* without a ring where there is an SRQ */
	struct list_head send_entry;	/* in send_qps of the send CQ */
	struct list_head recv_entry;	/* in recv_qps of the receive CQ */
	bool error;		/* the QP is known to be in the error state */
};

/* Work requests of an SRQ complete in any order. */
struct vrdma_ksrq {
	spinlock_t lock;	/* protects all that follows */
	struct vrdma_ring ring;
	struct vrdma_wr *wrs;
	unsigned long *posted;
	u32 count;		/* length of wrs and posted */
	u32 hint;		/* a place that may be free */
	u32 max_sge;
};

struct vrdma_kcq {
	spinlock_t lock;	/* taken before the locks of work queues */
	struct vrdma_ring ring;
	struct list_head send_qps;
	struct list_head recv_qps;
	bool armed;
};

/* The wr_id that the device sees has the queue (a kind) and the number or place there. */
#define VRDMA_WR_KIND_SHIFT	32
enum vrdma_wr_kind {
	VRDMA_WR_SEND,
	VRDMA_WR_RECV,
	VRDMA_WR_SRQ_RECV,
};

static inline void *vrdma_ring_entry(const struct vrdma_ring *ring)
{
	return ring->buf->data + ((size_t)ring->index << ring->shift);
}

/* For the ring of a work queue, where the device consumes. */
static inline bool vrdma_ring_full(const struct vrdma_ring *ring)
{
	/* Pairs with the device's release: it has read the entry that we write next. */
	u32 consumer = virt_load_acquire(&ring->buf->consumer_index);

	return ((ring->index + 1 - consumer) & ring->mask) == 0;
}

static inline void vrdma_ring_produce(struct vrdma_ring *ring)
{
	ring->index = (ring->index + 1) & ring->mask;
	/* Pairs with the device's acquire: the entry is there. */
	virt_store_release(&ring->buf->producer_index, ring->index);
}

/* For the ring of a completion queue, where the device produces. */
static inline bool vrdma_ring_empty(const struct vrdma_ring *ring)
{
	/* Pairs with the device's release: the entry is there. */
	u32 producer = virt_load_acquire(&ring->buf->producer_index);

	return ((ring->index - producer) & ring->mask) == 0;
}

static inline void vrdma_ring_consume(struct vrdma_ring *ring)
{
	ring->index = (ring->index + 1) & ring->mask;
	/* Pairs with the device's acquire: we have read the entry. */
	virt_store_release(&ring->buf->consumer_index, ring->index);
}

static inline struct vrdma_wr *vrdma_wq_wr(const struct vrdma_wq *wq, u32 number)
{
	return &wq->wrs[number & wq->ring.mask];
}

static inline u32 vrdma_recv_entry_size(u32 max_sge)
{
	return sizeof(struct rxe_recv_wqe) + max_sge * sizeof(struct rxe_sge);
}

/* kernel_verbs/ring.c */
int vrdma_ring_map(struct vrdma_dev *dev, struct vrdma_ring *ring, const struct mminfo *info,
		   u32 entry_size);
void vrdma_ring_unmap(struct vrdma_dev *dev, struct vrdma_ring *ring);

/* kernel_verbs/flush.c */
void vrdma_flush_init(struct vrdma_dev *dev);
void vrdma_flush_stop(struct vrdma_dev *dev);

/* kernel_verbs/cq.c */
void vrdma_kernel_cq_set_ops(struct vrdma_dev *dev);
void vrdma_kcq_notify(struct vrdma_cq *cq);

/* kernel_verbs/srq.c */
void vrdma_kernel_srq_set_ops(struct vrdma_dev *dev);

/* kernel_verbs/qp.c */
void vrdma_kernel_qp_set_ops(struct vrdma_dev *dev);

/* kernel_verbs/ah.c */
void vrdma_kernel_ah_set_ops(struct vrdma_dev *dev);

/* kernel_verbs/poll.c */
int vrdma_poll_cq(struct ib_cq *ibcq, int count, struct ib_wc *wc);
bool vrdma_kcq_pending(struct vrdma_dev *dev, struct vrdma_kcq *kcq);

/* kernel_verbs/post.c */
int vrdma_kernel_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
			   const struct ib_send_wr **bad_wr);
int vrdma_post_recv(struct ib_qp *ibqp, const struct ib_recv_wr *wr,
		    const struct ib_recv_wr **bad_wr);
int vrdma_post_srq_recv(struct ib_srq *ibsrq, const struct ib_recv_wr *wr,
			const struct ib_recv_wr **bad_wr);

/* kernel_verbs/mr.c */
void vrdma_kernel_mr_set_ops(struct vrdma_dev *dev);
void vrdma_kmr_prepare(struct vrdma_mr *mr);

#endif /* VRDMA_KERNEL_VERBS_QUEUES_H */
