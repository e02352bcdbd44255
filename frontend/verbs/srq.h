/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: shared receive queues. */
#ifndef VRDMA_VERBS_SRQ_H
#define VRDMA_VERBS_SRQ_H

#include <rdma/ib_verbs.h>

#include "core/objects.h"
#include "core/user_memory.h"

struct vrdma_ksrq;

struct vrdma_srq {
	struct ib_srq ibsrq;
	struct vrdma_tracked tracked;
	struct vrdma_pins pins;
	struct vrdma_ksrq *ksrq;	/* an SRQ of the kernel has one (kernel_verbs/srq.c) */
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_srq *to_vrdma_srq(struct ib_srq *ibsrq)
{
	return container_of(ibsrq, struct vrdma_srq, ibsrq);
}

void vrdma_srq_init(struct vrdma_dev *dev);
void vrdma_srq_set_ops(struct vrdma_dev *dev);
int vrdma_srq_acquire(struct vrdma_dev *dev, struct vrdma_srq *srq,
		      struct ib_srq_init_attr *init_attr, struct ib_udata *udata, void *answer,
		      u32 answer_len);
int vrdma_srq_show(struct vrdma_dev *dev, struct vrdma_srq *srq);
void vrdma_srq_release(struct vrdma_dev *dev, struct vrdma_srq *srq);
int vrdma_create_srq(struct ib_srq *ibsrq, struct ib_srq_init_attr *init_attr,
		     struct ib_udata *udata);
int vrdma_destroy_srq(struct ib_srq *ibsrq, struct ib_udata *udata);

#endif /* VRDMA_VERBS_SRQ_H */
