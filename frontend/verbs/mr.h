/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: memory regions. */
#ifndef VRDMA_VERBS_MR_H
#define VRDMA_VERBS_MR_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;
struct vrdma_fast_reg;

/* A list of so many addresses is some pages of memory, in one piece. */
#define VRDMA_MAX_FAST_REG_PAGES	2048

struct vrdma_mr {
	struct ib_mr ibmr;
	struct ib_umem *umem;
	struct vrdma_fast_reg *fast_reg;	/* of an MR of the kernel; the device reads it */
	u32 max_pages;		/* number of pages that fast_reg has room for */
	u32 page_count;		/* number of pages in fast_reg */
	int access;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_mr *to_vrdma_mr(struct ib_mr *ibmr)
{
	return container_of(ibmr, struct vrdma_mr, ibmr);
}

void vrdma_mr_set_ops(struct vrdma_dev *dev);
int vrdma_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata);

#endif /* VRDMA_VERBS_MR_H */
