// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: completion queues. */
#include <rdma/uverbs_ioctl.h>

#include "vrdma_cmd.h"

static int vrdma_cq_create_cmd(struct vrdma_dev *dev, struct vrdma_cq *cq,
			       const struct ib_cq_init_attr *attr, struct ib_udata *udata)
{
	struct vrdma_cmd_create_cq *req;
	struct vrdma_rsp_create_cq *rsp;
	struct vrdma_cmd *cmd;
	u32 cqe;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_CREATE_CQ, sizeof(*req), sizeof(*rsp), cq->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->cqe = cpu_to_le32(attr->cqe);
	req->comp_vector = cpu_to_le32(attr->comp_vector);
	req->flags = cpu_to_le32(attr->flags);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (err)
		goto out;

	rsp = cmd->rsp;
	cq->handle = le32_to_cpu(rsp->handle);
	cqe = le32_to_cpu(rsp->cqe);
	if (cq->handle >= dev->max_cq || cqe < attr->cqe || cqe > INT_MAX)
		err = -EIO;
	else
		err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_CQ, cq->uctx, cq->handle);
	cq->ibcq.cqe = cqe;
out:
	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
		    struct vrdma_cq_attrs *attrs)
{
	struct ib_udata *udata = vrdma_cq_udata(attrs);
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);
	struct vrdma_ucontext *uctx;
	int err;

	if (!udata)
		return -EOPNOTSUPP;
	if (!attr->cqe)
		return -EINVAL;

	uctx = rdma_udata_to_drv_context(udata, struct vrdma_ucontext, ibuctx);
	cq->uctx = uctx->handle;
	spin_lock_init(&cq->arm_lock);

	err = vrdma_cq_create_cmd(dev, cq, attr, udata);
	if (err)
		return err;

	WRITE_ONCE(dev->doorbells->cq_arm[cq->handle], cpu_to_le32(VRDMA_CQ_NOT_ARMED));
	return vrdma_track(dev, &dev->cqs, &cq->tracked, cq->uctx, cq->handle,
			   VRDMA_CMD_DESTROY_CQ);
}

int vrdma_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);

	vrdma_untrack(&dev->cqs, cq->handle, &cq->tracked);
	vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_CQ, cq->uctx, cq->handle);
	return 0;
}

int vrdma_req_notify_cq(struct ib_cq *ibcq, enum ib_cq_notify_flags flags)
{
	bool solicited = (flags & IB_CQ_SOLICITED_MASK) == IB_CQ_SOLICITED;
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);
	__le32 *arm = &dev->doorbells->cq_arm[cq->handle];
	unsigned long irq;

	if (!vrdma_alive(dev))
		return -EIO;

	/* A solicited arm does not weaken one for any completion (IBTA 1.4, 11.4.2.2). */
	spin_lock_irqsave(&cq->arm_lock, irq);
	if (!solicited)
		WRITE_ONCE(*arm, cpu_to_le32(VRDMA_CQ_ARM_NEXT));
	else if (READ_ONCE(*arm) != cpu_to_le32(VRDMA_CQ_ARM_NEXT))
		WRITE_ONCE(*arm, cpu_to_le32(VRDMA_CQ_ARM_SOLICITED));
	spin_unlock_irqrestore(&cq->arm_lock, irq);

	/*
	 * Pairs with the device's barrier between its completion and its look
	 * at the arm: either it sees this, or the caller's next poll that.
	 */
	virt_mb();

	if (virtio_has_feature(dev->vdev, VRDMA_F_CQ_DOORBELL))
		vrdma_ring_cq(dev, cq->handle);
	return 0;
}
