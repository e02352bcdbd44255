/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: completion queues. */
#ifndef VRDMA_VERBS_CQ_H
#define VRDMA_VERBS_CQ_H

#include <rdma/ib_verbs.h>

#include "core/compat.h"
#include "core/objects.h"
#include "core/user_memory.h"

struct vrdma_kcq;

struct vrdma_cq {
	struct ib_cq ibcq;
	struct vrdma_tracked tracked;
	struct mutex resize_lock;	/* one RESIZE_CQ at a time; guards @pins meanwhile */
	struct vrdma_pins pins;
	struct vrdma_kcq *kcq;	/* a CQ of the kernel has one (kernel_verbs/cq.c) */
	void (*completed)(struct vrdma_cq *cq);	/* called for completion events */
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_cq *to_vrdma_cq(struct ib_cq *ibcq)
{
	return container_of(ibcq, struct vrdma_cq, ibcq);
}

/* verbs/cq.c */
void vrdma_cq_init(struct vrdma_dev *dev);
void vrdma_cq_set_ops(struct vrdma_dev *dev);
int vrdma_cq_acquire(struct vrdma_dev *dev, struct vrdma_cq *cq,
		     const struct ib_cq_init_attr *attr, struct ib_udata *udata, void *answer,
		     u32 answer_len);
int vrdma_cq_show(struct vrdma_dev *dev, struct vrdma_cq *cq);
void vrdma_cq_release(struct vrdma_dev *dev, struct vrdma_cq *cq);
int vrdma_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
		    struct vrdma_cq_attrs *attrs);
int vrdma_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata);

/* verbs/cq_arm.c */
bool vrdma_cq_arm_polled(struct vrdma_dev *dev, struct vrdma_cq *cq, bool solicited);
int vrdma_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags);

#endif /* VRDMA_VERBS_CQ_H */
