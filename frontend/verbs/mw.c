// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: memory windows. */
#include "core/cmd.h"
#include "core/dev.h"
#include "core/objects.h"
#include "core/user_memory.h"
#include "verbs/mw.h"
#include "verbs/pd.h"

static int vrdma_alloc_mw(struct ib_mw *ibmw, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibmw->device);
	struct vrdma_pd *pd = to_vrdma_pd(ibmw->pd);
	struct vrdma_mw *mw = to_vrdma_mw(ibmw);
	struct vrdma_cmd_alloc_mw *req;
	struct vrdma_rsp_alloc_mw *rsp;
	struct vrdma_cmd *cmd;
	int err;

	mw->uctx = pd->uctx;
	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_ALLOC_MW, sizeof(*req), sizeof(*rsp), mw->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(pd->handle);
	req->type = ibmw->type;

	err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	if (err)
		goto out;

	rsp = cmd->rsp;
	mw->handle = le32_to_cpu(rsp->handle);
	ibmw->rkey = le32_to_cpu(rsp->rkey);
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DEALLOC_MW, mw->uctx, mw->handle, NULL);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_dealloc_mw(struct ib_mw *ibmw)
{
	struct vrdma_mw *mw = to_vrdma_mw(ibmw);

	return vrdma_cmd_release(to_vrdma_dev(ibmw->device), VRDMA_CMD_DEALLOC_MW, mw->uctx,
				 mw->handle, NULL);
}

static const struct ib_device_ops vrdma_mw_ops = {
	.alloc_mw = vrdma_alloc_mw,
	.dealloc_mw = vrdma_dealloc_mw,

	INIT_RDMA_OBJ_SIZE(ib_mw, vrdma_mw, ibmw),
};

void vrdma_mw_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_MW))
		ib_set_device_ops(&dev->ibdev, &vrdma_mw_ops);
}
