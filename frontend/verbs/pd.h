/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: protection domains. */
#ifndef VRDMA_VERBS_PD_H
#define VRDMA_VERBS_PD_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

struct vrdma_pd {
	struct ib_pd ibpd;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_pd *to_vrdma_pd(struct ib_pd *ibpd)
{
	return container_of(ibpd, struct vrdma_pd, ibpd);
}

void vrdma_pd_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_PD_H */
