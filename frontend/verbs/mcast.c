// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: queue pairs in multicast groups. */
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "verbs/mcast.h"
#include "verbs/qp.h"

static int vrdma_mcast_cmd(struct ib_qp *ibqp, u16 opcode, const union ib_gid *gid, u16 lid)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	struct vrdma_cmd_mcast *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(*req), sizeof(struct vrdma_rsp_empty), qp->uctx,
			      NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->qp = cpu_to_le32(qp->handle);
	req->lid = cpu_to_le16(lid);
	memcpy(req->gid, gid->raw, sizeof(req->gid));

	/* What a caller that was killed has attached goes with its user context. */
	if (qp->uctx == dev->kernel_uctx)
		err = vrdma_cmd_exec(dev, cmd);
	else if (opcode == VRDMA_CMD_DETACH_MCAST)
		err = vrdma_cmd_exec_leaving(dev, cmd);
	else
		err = vrdma_cmd_exec_killable(dev, cmd);
	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_attach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid)
{
	return vrdma_mcast_cmd(ibqp, VRDMA_CMD_ATTACH_MCAST, gid, lid);
}

/* Succeeds without a device, where nothing is attached any more. */
static int vrdma_detach_mcast(struct ib_qp *ibqp, union ib_gid *gid, u16 lid)
{
	int err = vrdma_mcast_cmd(ibqp, VRDMA_CMD_DETACH_MCAST, gid, lid);

	return vrdma_alive(to_vrdma_dev(ibqp->device)) ? err : 0;
}

static const struct ib_device_ops vrdma_mcast_ops = {
	.attach_mcast = vrdma_attach_mcast,
	.detach_mcast = vrdma_detach_mcast,
};

void vrdma_mcast_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_MCAST))
		ib_set_device_ops(&dev->ibdev, &vrdma_mcast_ops);
}
