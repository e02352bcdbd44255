// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: memory regions of the kernel.
 *
 * The ib_device has no DMA device (vrdma_register()), so a DMA address is a pointer into the
 * kernel's linear map.  The RNIC is told where that map begins.
 */
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "kernel_verbs/queues.h"
#include "verbs/mr.h"
#include "verbs/pd.h"

/* The RNIC checks other rights when work requests use a region. */
#define VRDMA_DMA_ACCESS	(IB_ACCESS_LOCAL_WRITE | IB_ACCESS_REMOTE_WRITE | \
				 IB_ACCESS_REMOTE_READ | IB_ACCESS_REMOTE_ATOMIC | \
				 IB_ACCESS_RELAXED_ORDERING)

static void vrdma_kmr_answer(struct vrdma_mr *mr, const struct vrdma_cmd *cmd)
{
	const struct vrdma_rsp_reg_mr *rsp = cmd->rsp;

	mr->handle = le32_to_cpu(rsp->handle);
	mr->ibmr.lkey = le32_to_cpu(rsp->lkey);
	mr->ibmr.rkey = le32_to_cpu(rsp->rkey);
}

static int vrdma_get_dma_mr_cmd(struct vrdma_dev *dev, struct vrdma_mr *mr, u32 pd, int access)
{
	struct vrdma_cmd_get_dma_mr *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_GET_DMA_MR, sizeof(*req),
			      sizeof(struct vrdma_rsp_reg_mr), mr->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(pd);
	req->access = cpu_to_le32(access & VRDMA_DMA_ACCESS);
	req->base = cpu_to_le64((uintptr_t)phys_to_virt(0));

	err = vrdma_cmd_exec(dev, cmd);
	if (!err)
		vrdma_kmr_answer(mr, cmd);

	vrdma_cmd_put(cmd);
	return err;
}

static struct ib_mr *vrdma_get_dma_mr(struct ib_pd *ibpd, int access)
{
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);
	struct vrdma_mr *mr;
	int err;

	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->uctx = pd->uctx;

	err = vrdma_get_dma_mr_cmd(to_vrdma_dev(ibpd->device), mr, pd->handle, access);
	if (err) {
		kfree(mr);
		return ERR_PTR(err);
	}
	return &mr->ibmr;
}

static __le64 *vrdma_fast_reg_pages(const struct vrdma_mr *mr)
{
	return (__le64 *)(mr->fast_reg + 1);
}

static int vrdma_alloc_mr_cmd(struct vrdma_dev *dev, struct vrdma_mr *mr, u32 pd, size_t length)
{
	struct vrdma_cmd_alloc_mr *req;
	struct vrdma_cmd *cmd;
	struct vrdma_run *run;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_ALLOC_MR, sizeof(*req),
			      sizeof(struct vrdma_rsp_reg_mr), mr->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(pd);
	req->max_pages = cpu_to_le32(mr->max_pages);
	req->run_count = cpu_to_le32(1);

	err = vrdma_cmd_add_payload(dev, cmd, sizeof(*run));
	if (err)
		goto out;
	run = vrdma_cmd_payload(cmd, 0);
	run->gpa = cpu_to_le64(virt_to_phys(mr->fast_reg));
	run->length = cpu_to_le64(length);

	err = vrdma_cmd_exec(dev, cmd);
	if (!err)
		vrdma_kmr_answer(mr, cmd);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static struct ib_mr *vrdma_alloc_mr(struct ib_pd *ibpd, enum ib_mr_type type, u32 max_pages)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibpd->device);
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);
	struct vrdma_mr *mr;
	size_t length;
	int err;

	if (type != IB_MR_TYPE_MEM_REG)
		return ERR_PTR(-EOPNOTSUPP);
	if (!max_pages || max_pages > ibpd->device->attrs.max_fast_reg_page_list_len)
		return ERR_PTR(-EINVAL);

	mr = kzalloc(sizeof(*mr), GFP_KERNEL);
	if (!mr)
		return ERR_PTR(-ENOMEM);
	mr->uctx = pd->uctx;
	mr->max_pages = max_pages;

	/* kzalloc() gives contiguous memory: one run. */
	length = sizeof(*mr->fast_reg) + max_pages * sizeof(__le64);
	mr->fast_reg = kzalloc(length, GFP_KERNEL);
	if (!mr->fast_reg) {
		err = -ENOMEM;
		goto err_free;
	}

	err = vrdma_alloc_mr_cmd(dev, mr, pd->handle, length);
	if (err)
		goto err_fast_reg;
	return &mr->ibmr;

err_fast_reg:
	kfree(mr->fast_reg);
err_free:
	kfree(mr);
	return ERR_PTR(err);
}

static int vrdma_set_page(struct ib_mr *ibmr, u64 address)
{
	struct vrdma_mr *mr = to_vrdma_mr(ibmr);

	if (mr->page_count >= mr->max_pages)
		return -ENOMEM;

	vrdma_fast_reg_pages(mr)[mr->page_count++] =
		cpu_to_le64(virt_to_phys((void *)(uintptr_t)address));
	return 0;
}

static int vrdma_map_mr_sg(struct ib_mr *ibmr, struct scatterlist *sg, int count,
			   unsigned int *offset)
{
	struct vrdma_mr *mr = to_vrdma_mr(ibmr);

	if (!mr->fast_reg)
		return -EINVAL;

	mr->page_count = 0;
	return ib_sg_to_pages(ibmr, sg, count, offset, vrdma_set_page);
}

/* The user may have changed the region's address since it was mapped. */
void vrdma_kmr_prepare(struct vrdma_mr *mr)
{
	mr->fast_reg->iova = cpu_to_le64(mr->ibmr.iova);
	mr->fast_reg->length = cpu_to_le64(mr->ibmr.length);
	mr->fast_reg->page_size = cpu_to_le32(mr->ibmr.page_size);
	mr->fast_reg->page_count = cpu_to_le32(mr->page_count);
}

static int vrdma_kernel_dereg_mr(struct ib_mr *ibmr, struct ib_udata *udata)
{
	struct vrdma_fast_reg *fast_reg = to_vrdma_mr(ibmr)->fast_reg;
	int err = vrdma_dereg_mr(ibmr, udata);

	/* The device may still read it where the region could not be released. */
	if (!err)
		kfree(fast_reg);
	return err;
}

static const struct ib_device_ops vrdma_kernel_mr_ops = {
	.alloc_mr = vrdma_alloc_mr,
	.dereg_mr = vrdma_kernel_dereg_mr,
	.get_dma_mr = vrdma_get_dma_mr,
	.map_mr_sg = vrdma_map_mr_sg,
};

void vrdma_kernel_mr_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_kernel_mr_ops);
}
