/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: address vectors and address handles. */
#ifndef VRDMA_VERBS_AH_H
#define VRDMA_VERBS_AH_H

#include <rdma/ib_verbs.h>
#include <rdma/rdma_user_rxe.h>

struct vrdma_ah_attr;
struct vrdma_dev;

struct vrdma_ah {
	struct ib_ah ibah;
	struct rxe_av av;	/* with @kernel: the device has no handle for it */
	bool kernel;
	u32 handle;
	u32 uctx;
};

static inline struct vrdma_ah *to_vrdma_ah(struct ib_ah *ibah)
{
	return container_of(ibah, struct vrdma_ah, ibah);
}

void vrdma_pack_ah_attr(struct vrdma_ah_attr *to, const struct rdma_ah_attr *from);
void vrdma_unpack_ah_attr(struct vrdma_dev *dev, struct rdma_ah_attr *to,
			  const struct vrdma_ah_attr *from);
void vrdma_ah_set_ops(struct vrdma_dev *dev);
int vrdma_query_ah(struct ib_ah *ibah, struct rdma_ah_attr *attr);
int vrdma_destroy_ah(struct ib_ah *ibah, u32 flags);

#endif /* VRDMA_VERBS_AH_H */
