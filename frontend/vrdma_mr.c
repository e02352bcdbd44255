// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: memory regions. */
#include <linux/slab.h>
#include <rdma/ib_umem.h>

#include "vrdma_cmd.h"

#define VRDMA_MR_ACCESS	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | \
			 IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_ATOMIC | \
			 IB_ZERO_BASED | IB_ACCESS_RELAXED_ORDERING)

static int vrdma_mr_register(struct vrdma_dev *dev, struct vrdma_mr *mr, u32 pd, u64 iova,
			     int access, struct ib_udata *udata)
{
	struct ib_umem *umem = mr->umem;
	struct vrdma_cmd_reg_mr *req;
	struct vrdma_rsp_reg_mr *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_REG_MR, sizeof(*req), sizeof(*rsp), mr->uctx, udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);
	cmd->umem = umem;
	cmd->run_count = vrdma_runs(umem, NULL, 0);

	req = cmd->req;
	req->pd = cpu_to_le32(pd);
	req->access = cpu_to_le32(access);
	req->start = cpu_to_le64(umem->address);
	req->iova = cpu_to_le64(iova);
	req->length = cpu_to_le64(umem->length);
	req->run_count = cpu_to_le32(cmd->run_count);

	err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	if (err)
		goto out;

	rsp = cmd->rsp;
	mr->handle = le32_to_cpu(rsp->handle);
	mr->ibmr.lkey = le32_to_cpu(rsp->lkey);
	mr->ibmr.rkey = le32_to_cpu(rsp->rkey);
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DEREG_MR, mr->uctx, mr->handle);
out:
	vrdma_cmd_put(cmd);
	return err;
}

struct ib_mr *vrdma_reg_user_mr(struct ib_pd *ibpd, u64 start, u64 length, u64 virt_addr,
				int access, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibpd->device);
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);
	struct vrdma_mr *mr;
	int err;

	if (access & ~VRDMA_MR_ACCESS)
		return ERR_PTR(-EOPNOTSUPP);

	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->uctx = pd->uctx;

	mr->umem = ib_umem_get(ibpd->device, start, length, access);
	if (IS_ERR(mr->umem)) {
		err = PTR_ERR(mr->umem);
		goto err_free;
	}

	err = vrdma_mr_register(dev, mr, pd->handle, virt_addr, access, udata);
	if (err)
		goto err_umem;

	return &mr->ibmr;

err_umem:
	ib_umem_release(mr->umem);
err_free:
	kfree(mr);
	return ERR_PTR(err);
}

int vrdma_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata)
{
	struct vrdma_mr *mr = to_vrdma_mr(ibmr);
	int err;

	err = vrdma_cmd_release(to_vrdma_dev(ibmr->device), VRDMA_CMD_DEREG_MR, mr->uctx,
				mr->handle);
	if (err)
		return err;

	ib_umem_release(mr->umem);
	kfree(mr->fast_reg);
	kfree(mr);
	return 0;
}
