// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: address handles of the kernel. */
#include <rdma/ib_addr.h>
#include <rdma/ib_cache.h>

#include "kernel_verbs/queues.h"
#include "verbs/ah.h"

/*
 * Keeps the address for the work requests that the handle is used with.  The core calls this in
 * any context, so there is no command.
 */
static int vrdma_kernel_create_ah(struct ib_ah *ibah, struct rdma_ah_init_attr *init_attr,
				  struct ib_udata *udata)
{
	const struct rdma_ah_attr *attr = init_attr->ah_attr;
	const struct ib_global_route *grh = rdma_ah_read_grh(attr);
	struct vrdma_ah *ah = to_vrdma_ah(ibah);
	struct rxe_av *av = &ah->av;

	if (!(rdma_ah_get_ah_flags(attr) & IB_AH_GRH) || !grh->sgid_attr)
		return -EINVAL;

	ah->kernel = true;
	memset(av, 0, sizeof(*av));
	av->port_num = rdma_ah_get_port_num(attr);
	av->network_type = rdma_gid_attr_network_type(grh->sgid_attr) == RDMA_NETWORK_IPV4 ?
			   RXE_NETWORK_TYPE_IPV4 : RXE_NETWORK_TYPE_IPV6;
	memcpy(av->dmac, attr->roce.dmac, sizeof(av->dmac));
	memcpy(av->grh.dgid.raw, grh->dgid.raw, sizeof(av->grh.dgid.raw));
	av->grh.flow_label = grh->flow_label;
	av->grh.sgid_index = grh->sgid_index;
	av->grh.hop_limit = grh->hop_limit;
	av->grh.traffic_class = grh->traffic_class;
	rdma_gid2ip((struct sockaddr *)&av->sgid_addr, &grh->sgid_attr->gid);
	rdma_gid2ip((struct sockaddr *)&av->dgid_addr, &grh->dgid);
	return 0;
}

static void vrdma_query_kernel_ah(const struct vrdma_ah *ah, struct rdma_ah_attr *attr)
{
	const struct rxe_av *av = &ah->av;
	union ib_gid dgid;

	memset(attr, 0, sizeof(*attr));
	attr->type = RDMA_AH_ATTR_TYPE_ROCE;
	memcpy(dgid.raw, av->grh.dgid.raw, sizeof(dgid.raw));
	rdma_ah_set_grh(attr, &dgid, av->grh.flow_label, av->grh.sgid_index, av->grh.hop_limit,
			av->grh.traffic_class);
	rdma_ah_set_port_num(attr, av->port_num);
	memcpy(attr->roce.dmac, av->dmac, sizeof(av->dmac));
}

static int vrdma_kernel_query_ah(struct ib_ah *ibah, struct rdma_ah_attr *attr)
{
	struct vrdma_ah *ah = to_vrdma_ah(ibah);

	if (!ah->kernel)
		return vrdma_query_ah(ibah, attr);

	vrdma_query_kernel_ah(ah, attr);
	return 0;
}

static int vrdma_kernel_destroy_ah(struct ib_ah *ibah, u32 flags)
{
	return to_vrdma_ah(ibah)->kernel ? 0 : vrdma_destroy_ah(ibah, flags);
}

static const struct ib_device_ops vrdma_kernel_ah_ops = {
	.create_ah = vrdma_kernel_create_ah,
	.destroy_ah = vrdma_kernel_destroy_ah,
	.query_ah = vrdma_kernel_query_ah,
};

void vrdma_kernel_ah_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_kernel_ah_ops);
}
