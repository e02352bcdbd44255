// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: memory regions. */
#include <linux/slab.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"
#include "core/objects.h"
#include "core/user_memory.h"
#include "verbs/mr.h"
#include "verbs/pd.h"

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
	if (cmd->abandoned)
		mr->umem = NULL;
	if (err)
		goto out;

	rsp = cmd->rsp;
	mr->handle = le32_to_cpu(rsp->handle);
	mr->ibmr.lkey = le32_to_cpu(rsp->lkey);
	mr->ibmr.rkey = le32_to_cpu(rsp->rkey);
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DEREG_MR, mr->uctx, mr->handle, NULL);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static struct ib_mr *vrdma_reg_user_mr(struct ib_pd *ibpd, u64 start, u64 length, u64 virt_addr,
				       int access,
#ifdef VRDMA_KERNEL_HAS_REG_USER_MR_DMAH
				       struct ib_dmah *dmah,
#endif
				       struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibpd->device);
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);
	struct vrdma_mr *mr;
	int err;

#ifdef VRDMA_KERNEL_HAS_REG_USER_MR_DMAH
	if (dmah)
		return ERR_PTR(-EOPNOTSUPP);
#endif
	/* The core has refused rights that nobody has; the RNIC knows which it has. */
	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->uctx = pd->uctx;
	mr->access = access;

	mr->umem = ib_umem_get_va(ibpd->device, start, length, access);
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
	struct vrdma_pins pins = {};
	int err;

	vrdma_pins_add(&pins, mr->umem);
	err = vrdma_cmd_release(to_vrdma_dev(ibmr->device), VRDMA_CMD_DEREG_MR, mr->uctx,
				mr->handle, &pins);
	if (err)
		return err;

	kfree(mr);
	return 0;
}

/*
 * @umem is the new memory of the region; with NULL, the region keeps its pages.  When the caller
 * is killed, the command has @umem, and nobody knows which memory the region has.
 */
static int vrdma_mr_rereg_cmd(struct vrdma_dev *dev, struct vrdma_mr *mr, int flags,
			      struct ib_umem *umem, u64 iova, int access, struct ib_pd *ibpd,
			      struct ib_udata *udata, bool *taken)
{
	struct vrdma_cmd_rereg_mr *req;
	struct vrdma_rsp_reg_mr *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_REREG_MR, sizeof(*req), sizeof(*rsp), mr->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(mr->handle);
	req->flags = cpu_to_le32(flags);
	if (flags & IB_MR_REREG_PD)
		req->pd = cpu_to_le32(to_vrdma_pd(ibpd)->handle);
	if (flags & IB_MR_REREG_ACCESS)
		req->access = cpu_to_le32(access);
	if (umem) {
		cmd->umem = umem;
		cmd->run_count = vrdma_runs(umem, NULL, 0);
		req->start = cpu_to_le64(umem->address);
		req->iova = cpu_to_le64(iova);
		req->length = cpu_to_le64(umem->length);
		req->run_count = cpu_to_le32(cmd->run_count);
		err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	} else {
		err = vrdma_cmd_exec_killable(dev, cmd);
	}
	*taken = cmd->abandoned;
	if (err)
		goto out;

	/* The device has changed the region, also when the user cannot be told. */
	rsp = cmd->rsp;
	mr->ibmr.lkey = le32_to_cpu(rsp->lkey);
	mr->ibmr.rkey = le32_to_cpu(rsp->rkey);
	if (vrdma_cmd_copy_udata(cmd, udata))
		dev_warn_ratelimited(&dev->vdev->dev, "REREG_MR: no room for the answer\n");
out:
	vrdma_cmd_put(cmd);
	return err;
}

static struct ib_mr *vrdma_rereg_user_mr(struct ib_mr *ibmr, int flags, u64 start, u64 length,
					 u64 virt_addr, int access, struct ib_pd *ibpd,
					 struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibmr->device);
	struct vrdma_mr *mr = to_vrdma_mr(ibmr);
	struct ib_umem *umem = NULL;
	bool taken = false;
	int err;

	BUILD_BUG_ON(VRDMA_REREG_TRANS != IB_MR_REREG_TRANS);
	BUILD_BUG_ON(VRDMA_REREG_PD != IB_MR_REREG_PD);
	BUILD_BUG_ON(VRDMA_REREG_ACCESS != IB_MR_REREG_ACCESS);

	if (!(flags & IB_MR_REREG_ACCESS))
		access = mr->access;
	if (flags & ~IB_MR_REREG_SUPPORTED)
		return ERR_PTR(-EOPNOTSUPP);

	/* Pages that were pinned for reading cannot be written to: pin them anew. */
	if (!(flags & IB_MR_REREG_TRANS) && ib_access_writable(access) && !mr->umem->writable) {
		flags |= IB_MR_REREG_TRANS;
		start = mr->umem->address;
		length = mr->umem->length;
		virt_addr = ibmr->iova;
	}
	if (flags & IB_MR_REREG_TRANS) {
		umem = ib_umem_get_va(ibmr->device, start, length, access);
		if (IS_ERR(umem))
			return ERR_CAST(umem);
	}

	err = vrdma_mr_rereg_cmd(dev, mr, flags, umem, virt_addr, access, ibpd, udata,
				 &taken);
	if (err) {
		if (!taken)
			ib_umem_release(umem);
		return ERR_PTR(err);
	}

	if (umem) {
		ib_umem_release(mr->umem);
		mr->umem = umem;
	}
	mr->access = access;
	return NULL;
}

static const struct ib_device_ops vrdma_mr_ops = {
	.dereg_mr = vrdma_dereg_mr,
	.reg_user_mr = vrdma_reg_user_mr,
};

static const struct ib_device_ops vrdma_rereg_mr_ops = {
	.rereg_user_mr = vrdma_rereg_user_mr,
};

void vrdma_mr_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_mr_ops);
	if (virtio_has_feature(dev->vdev, VRDMA_F_REREG_MR))
		ib_set_device_ops(&dev->ibdev, &vrdma_rereg_mr_ops);
}
