/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: memory windows. */
#ifndef VRDMA_VERBS_MW_H
#define VRDMA_VERBS_MW_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

struct vrdma_mw {
	struct ib_mw ibmw;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_mw *to_vrdma_mw(struct ib_mw *ibmw)
{
	return container_of(ibmw, struct vrdma_mw, ibmw);
}

void vrdma_mw_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_MW_H */
