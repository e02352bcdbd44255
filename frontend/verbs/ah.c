// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: address vectors and address handles. */
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/objects.h"
#include "core/user_memory.h"
#include "verbs/ah.h"
#include "verbs/pd.h"

/* Writes an address vector as the device has it. */
void vrdma_pack_ah_attr(struct vrdma_ah_attr *to, const struct rdma_ah_attr *from)
{
	const struct ib_global_route *grh = rdma_ah_read_grh(from);

	memcpy(to->dgid, grh->dgid.raw, sizeof(to->dgid));
	to->flow_label = cpu_to_le32(grh->flow_label);
	to->sgid_index = grh->sgid_index;
	to->hop_limit = grh->hop_limit;
	to->traffic_class = grh->traffic_class;
	to->sl = rdma_ah_get_sl(from);
	to->port = rdma_ah_get_port_num(from);
	to->static_rate = rdma_ah_get_static_rate(from);
	if (rdma_ah_get_ah_flags(from) & IB_AH_GRH)
		to->flags = VRDMA_AH_GRH;
	if (from->type == RDMA_AH_ATTR_TYPE_ROCE)
		memcpy(to->dmac, from->roce.dmac, sizeof(to->dmac));
	if (from->type == RDMA_AH_ATTR_TYPE_IB) {
		to->dlid = cpu_to_le16(from->ib.dlid);
		to->src_path_bits = from->ib.src_path_bits;
	}
}

/* A queue pair that was never connected has port 0 and no address. */
void vrdma_unpack_ah_attr(struct vrdma_dev *dev, struct rdma_ah_attr *to,
			  const struct vrdma_ah_attr *from)
{
	union ib_gid dgid;

	memset(to, 0, sizeof(*to));
	to->type = vrdma_is_infiniband(dev) ? RDMA_AH_ATTR_TYPE_IB : RDMA_AH_ATTR_TYPE_ROCE;
	if (from->port != VRDMA_PORT)
		return;

	if (from->flags & VRDMA_AH_GRH || !vrdma_is_infiniband(dev)) {
		memcpy(dgid.raw, from->dgid, sizeof(dgid.raw));
		rdma_ah_set_grh(to, &dgid, le32_to_cpu(from->flow_label), from->sgid_index,
				from->hop_limit, from->traffic_class);
	}
	rdma_ah_set_port_num(to, from->port);
	rdma_ah_set_sl(to, from->sl);
	rdma_ah_set_static_rate(to, from->static_rate);
	if (to->type == RDMA_AH_ATTR_TYPE_ROCE) {
		memcpy(to->roce.dmac, from->dmac, sizeof(from->dmac));
	} else {
		to->ib.dlid = le16_to_cpu(from->dlid);
		to->ib.src_path_bits = from->src_path_bits;
	}
}

static int vrdma_create_ah(struct ib_ah *ibah, struct rdma_ah_init_attr *init_attr,
			   struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibah->device);
	struct vrdma_pd *pd = to_vrdma_pd(ibah->pd);
	struct vrdma_ah *ah = to_vrdma_ah(ibah);
	struct vrdma_cmd_create_ah *req;
	struct vrdma_rsp_handle *rsp;
	struct vrdma_cmd *cmd;
	int err;

	if (!udata || !(init_attr->flags & RDMA_CREATE_AH_SLEEPABLE))
		return -EOPNOTSUPP;
	if (!vrdma_is_infiniband(dev) &&
	    !(rdma_ah_get_ah_flags(init_attr->ah_attr) & IB_AH_GRH))
		return -EINVAL;

	ah->uctx = pd->uctx;
	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_CREATE_AH, sizeof(*req), sizeof(*rsp), ah->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(pd->handle);
	vrdma_pack_ah_attr(&req->attr, init_attr->ah_attr);

	err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	if (err)
		goto out;

	rsp = cmd->rsp;
	ah->handle = le32_to_cpu(rsp->handle);
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_AH, ah->uctx, ah->handle, NULL);
out:
	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_query_ah(struct ib_ah *ibah, struct rdma_ah_attr *attr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibah->device);
	struct vrdma_ah *ah = to_vrdma_ah(ibah);
	struct vrdma_rsp_query_ah *rsp;
	struct vrdma_cmd_handle *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_QUERY_AH, sizeof(*req), sizeof(*rsp), ah->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(ah->handle);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		vrdma_unpack_ah_attr(dev, attr, &rsp->attr);
	}

	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_destroy_ah(struct ib_ah *ibah, u32 flags)
{
	struct vrdma_ah *ah = to_vrdma_ah(ibah);

	if (!(flags & RDMA_DESTROY_AH_SLEEPABLE))
		return -EOPNOTSUPP;

	vrdma_cmd_release(to_vrdma_dev(ibah->device), VRDMA_CMD_DESTROY_AH, ah->uctx, ah->handle,
			  NULL);
	return 0;
}

static const struct ib_device_ops vrdma_ah_ops = {
	.create_user_ah = vrdma_create_ah,
	.destroy_ah = vrdma_destroy_ah,
	.query_ah = vrdma_query_ah,

	INIT_RDMA_OBJ_SIZE(ib_ah, vrdma_ah, ibah),
};

void vrdma_ah_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_ah_ops);
}
