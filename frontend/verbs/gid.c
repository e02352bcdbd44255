// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the GID table, which follows the paired netdev. */
#include <rdma/ib_cache.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "verbs/gid.h"

/* ADD_GID or DEL_GID: @type is a VRDMA_GID_TYPE_*, @vlan 0xffff for none. */
int vrdma_gid_cmd(struct vrdma_dev *dev, u16 opcode, u32 index, const void *gid, u32 type,
		  u16 vlan, const u8 *mac)
{
	struct vrdma_cmd_gid *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(*req), sizeof(struct vrdma_rsp_empty),
			      VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->port = cpu_to_le32(VRDMA_PORT);
	req->index = cpu_to_le32(index);
	memcpy(req->gid, gid, sizeof(req->gid));
	req->type = cpu_to_le32(type);
	req->vlan = cpu_to_le16(vlan);
	memcpy(req->mac, mac, sizeof(req->mac));

	err = vrdma_cmd_exec(dev, cmd);
	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_add_gid(const struct ib_gid_attr *attr, void **context)
{
	u8 mac[ETH_ALEN] = {};
	u16 vlan = 0xffff;
	int err;

	if (attr->gid_type != IB_GID_TYPE_ROCE_UDP_ENCAP)
		return -EOPNOTSUPP;

	err = rdma_read_gid_l2_fields(attr, &vlan, mac);
	if (err)
		return err;
	return vrdma_gid_cmd(to_vrdma_dev(attr->device), VRDMA_CMD_ADD_GID, attr->index,
			     attr->gid.raw, VRDMA_GID_TYPE_ROCE_V2, vlan, mac);
}

static int vrdma_del_gid(const struct ib_gid_attr *attr, void **context)
{
	static const u8 no_mac[ETH_ALEN];

	return vrdma_gid_cmd(to_vrdma_dev(attr->device), VRDMA_CMD_DEL_GID, attr->index,
			     attr->gid.raw, VRDMA_GID_TYPE_ROCE_V2, 0xffff, no_mac);
}

static const struct ib_device_ops vrdma_gid_ops = {
	.add_gid = vrdma_add_gid,
	.del_gid = vrdma_del_gid,
};

void vrdma_gid_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_gid_ops);
}
