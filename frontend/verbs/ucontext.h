/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: user contexts, and their mappings of the RNIC. */
#ifndef VRDMA_VERBS_UCONTEXT_H
#define VRDMA_VERBS_UCONTEXT_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

struct vrdma_ucontext {
	struct ib_ucontext ibuctx;
	u32 handle;
};

static inline struct vrdma_ucontext *to_vrdma_ucontext(struct ib_ucontext *ibuctx)
{
	return container_of(ibuctx, struct vrdma_ucontext, ibuctx);
}

void vrdma_ucontext_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_UCONTEXT_H */
