/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: queue pairs. */
#ifndef VRDMA_VERBS_QP_H
#define VRDMA_VERBS_QP_H

#include <rdma/ib_verbs.h>

#include "core/objects.h"
#include "core/user_memory.h"

struct vrdma_iw_conn;
struct vrdma_kqp;

struct vrdma_qp {
	struct ib_qp ibqp;
	struct vrdma_tracked tracked;
	struct vrdma_pins pins;
	struct vrdma_kqp *kqp;		/* a QP of the kernel has one (kernel_verbs/qp.c) */
	struct ib_qp_cap cap;
	enum ib_sig_type sig_type;
	enum ib_qp_state state;		/* that the user last modified it to */
	struct vrdma_iw_conn *iw_conn;	/* under the lock of struct vrdma_iw_cm */
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_qp *to_vrdma_qp(struct ib_qp *ibqp)
{
	return container_of(ibqp, struct vrdma_qp, ibqp);
}

void vrdma_qp_init(struct vrdma_dev *dev);
void vrdma_qp_set_ops(struct vrdma_dev *dev);
int vrdma_qp_acquire(struct vrdma_dev *dev, struct vrdma_qp *qp,
		     struct ib_qp_init_attr *init_attr, struct ib_udata *udata, void *answer,
		     u32 answer_len);
int vrdma_qp_show(struct vrdma_dev *dev, struct vrdma_qp *qp);
void vrdma_qp_fill_cap(struct vrdma_qp *qp, struct ib_qp_init_attr *init_attr);
void vrdma_qp_release(struct vrdma_dev *dev, struct vrdma_qp *qp);
int vrdma_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *init_attr, struct ib_udata *udata);
int vrdma_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata);
int vrdma_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata);
int vrdma_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
		    const struct ib_send_wr **bad_wr);

#endif /* VRDMA_VERBS_QP_H */
