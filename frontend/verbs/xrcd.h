/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: domains of extended reliable connections. */
#ifndef VRDMA_VERBS_XRCD_H
#define VRDMA_VERBS_XRCD_H

#include <rdma/ib_verbs.h>

struct vrdma_dev;

struct vrdma_xrcd {
	struct ib_xrcd ibxrcd;
	u32 handle;
};

static inline struct vrdma_xrcd *to_vrdma_xrcd(struct ib_xrcd *ibxrcd)
{
	return container_of(ibxrcd, struct vrdma_xrcd, ibxrcd);
}

void vrdma_xrcd_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_XRCD_H */
