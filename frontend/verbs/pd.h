/* SPDX-License-Identifier: GPL-2.0 */
/* vrdma guest driver: protection domains. */
#ifndef VRDMA_VERBS_PD_H
#define VRDMA_VERBS_PD_H

#include <rdma/ib_verbs.h>

struct vrdma_pd {
	struct ib_pd ibpd;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_pd *to_vrdma_pd(struct ib_pd *ibpd)
{
	return container_of(ibpd, struct vrdma_pd, ibpd);
}

int vrdma_alloc_pd(struct ib_pd *ibpd, struct ib_udata *udata);
int vrdma_dealloc_pd(struct ib_pd *ibpd, struct ib_udata *udata);

#endif /* VRDMA_VERBS_PD_H */
