// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: completion queues. */
#include <linux/slab.h>
#include <rdma/uverbs_ioctl.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/events.h"
#include "verbs/cq.h"
#include "verbs/ucontext.h"
#include "vrdma_udata_memory.h"

static void vrdma_cq_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	struct vrdma_tracked *tracked = vrdma_tracked_get(&dev->cqs, handle);
	struct ib_event event = { .device = &dev->ibdev, .event = type };
	struct ib_cq *ibcq;

	if (!tracked)
		return;

	ibcq = &container_of(tracked, struct vrdma_cq, tracked)->ibcq;
	event.element.cq = ibcq;
	if (ibcq->event_handler)
		ibcq->event_handler(&event, ibcq->cq_context);
	vrdma_tracked_put(tracked);
}

static void vrdma_handle_completion(struct vrdma_dev *dev, u32 handle)
{
	struct vrdma_tracked *tracked = vrdma_tracked_get(&dev->cqs, handle);
	struct vrdma_cq *cq;

	if (!tracked)
		return;

	cq = container_of(tracked, struct vrdma_cq, tracked);
	cq->completed(cq);
	vrdma_tracked_put(tracked);
}

void vrdma_cq_init(struct vrdma_dev *dev)
{
	xa_init_flags(&dev->cqs, XA_FLAGS_LOCK_IRQ);
	dev->completed = vrdma_handle_completion;
	vrdma_event_register(dev, VRDMA_EVENT_CQ_ERR, vrdma_cq_event, IB_EVENT_CQ_ERR);
}

/*
 * Makes the device's CQ, in the user context @cq->uctx.  Events do not find the CQ yet.  The
 * device's answer to the user's library goes to @answer, @answer_len bytes, for a CQ of the
 * kernel, which has no @udata.  On an error, nothing is left to release.
 */
int vrdma_cq_acquire(struct vrdma_dev *dev, struct vrdma_cq *cq,
		     const struct ib_cq_init_attr *attr, struct ib_udata *udata, void *answer,
		     u32 answer_len)
{
	const struct vrdma_udata_counts counts = { .cqe = attr->cqe };
	struct vrdma_cmd_create_cq *req;
	struct vrdma_rsp_create_cq *rsp;
	struct vrdma_cmd *cmd;
	u32 cqe;
	int err;

	if (!attr->cqe)
		return -EINVAL;

	cmd = vrdma_cmd_alloc_verb(dev, VRDMA_CMD_CREATE_CQ, sizeof(*req), sizeof(*rsp), cq->uctx,
				   udata, answer_len);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->cqe = cpu_to_le32(attr->cqe);
	req->comp_vector = cpu_to_le32(attr->comp_vector);
	req->flags = cpu_to_le32(attr->flags);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, &cq->pins);
	if (err)
		goto out;

	rsp = cmd->rsp;
	cq->handle = le32_to_cpu(rsp->handle);
	cqe = le32_to_cpu(rsp->cqe);
	if (cq->handle >= dev->max_cq || cqe < attr->cqe || cqe > INT_MAX)
		err = -EIO;
	else
		err = vrdma_cmd_copy_answer(cmd, udata, answer, answer_len);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_CQ, cq->uctx, cq->handle, &cq->pins);
	cq->ibcq.cqe = cqe;
out:
	vrdma_cmd_put(cmd);
	return err;
}

/* Events find the CQ from here on.  On an error, nothing is left to release. */
int vrdma_cq_show(struct vrdma_dev *dev, struct vrdma_cq *cq)
{
	int err;

	WRITE_ONCE(dev->doorbells->cq_arm[cq->handle], cpu_to_le32(VRDMA_CQ_NOT_ARMED));
	err = vrdma_track(dev, &dev->cqs, &cq->tracked, cq->uctx, cq->handle,
			  VRDMA_CMD_DESTROY_CQ);
	if (err)
		vrdma_pins_release(&cq->pins);
	return err;
}

/* For a CQ that events do not find any more. */
void vrdma_cq_release(struct vrdma_dev *dev, struct vrdma_cq *cq)
{
	/* Memory that the device may still use stays pinned. */
	vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_CQ, cq->uctx, cq->handle, &cq->pins);
}

static void vrdma_cq_completed(struct vrdma_cq *cq)
{
	if (cq->ibcq.comp_handler)
		cq->ibcq.comp_handler(&cq->ibcq, cq->ibcq.cq_context);
}

int vrdma_create_cq(struct ib_cq *ibcq, const struct ib_cq_init_attr *attr,
		    struct vrdma_cq_attrs *attrs)
{
	struct ib_udata *udata = vrdma_cq_udata(attrs);
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);
	int err;

	if (!udata)
		return -EOPNOTSUPP;

	cq->uctx = rdma_udata_to_drv_context(udata, struct vrdma_ucontext, ibuctx)->handle;
	cq->completed = vrdma_cq_completed;
	mutex_init(&cq->resize_lock);
	err = vrdma_cq_acquire(dev, cq, attr, udata, NULL, 0);
	if (err)
		return err;
	return vrdma_cq_show(dev, cq);
}

/* What of the user's memory the device uses from here on goes to @lasting. */
static int vrdma_resize(struct vrdma_dev *dev, struct vrdma_cq *cq, u32 cqe,
			struct ib_udata *udata, struct vrdma_pins *lasting)
{
	const struct vrdma_udata_counts counts = { .cqe = cqe };
	struct vrdma_cmd_resize_cq *req;
	struct vrdma_rsp_resize_cq *rsp;
	struct vrdma_cmd *cmd;
	u32 now;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_RESIZE_CQ, sizeof(*req), sizeof(*rsp), cq->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(cq->handle);
	req->cqe = cpu_to_le32(cqe);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, lasting);
	if (err)
		goto out;

	rsp = cmd->rsp;
	now = le32_to_cpu(rsp->cqe);
	if (now < cqe || now > INT_MAX) {
		err = -EIO;
		goto out;
	}
	cq->ibcq.cqe = now;
	err = vrdma_cmd_copy_udata(cmd, udata);
out:
	vrdma_cmd_put(cmd);
	return err;
}

/*
 * The queue may be in memory of the user's.  The earlier memory stays pinned as long as the CQ:
 * only the RNIC's driver knows whether it has taken the new memory (mlx5_ib does not when the size
 * remains) and when it lets go of the old (bnxt_re does at a later poll).  What is pinned counts
 * for the process, so its limit ends a row of such calls.
 */
static int vrdma_resize_cq(struct ib_cq *ibcq, vrdma_cqe cqe, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);
	struct vrdma_pins lasting = {};
	struct vrdma_pins *earlier;
	int err;

	if (!udata)
		return -EOPNOTSUPP;
	if (cqe < 1 || cqe > INT_MAX)
		return -EINVAL;

	earlier = kzalloc(sizeof(*earlier), GFP_KERNEL_ACCOUNT);
	if (!earlier)
		return -ENOMEM;

	err = mutex_lock_killable(&cq->resize_lock);
	if (err)
		goto out;
	err = vrdma_resize(dev, cq, cqe, udata, &lasting);
	if (lasting.count) {
		vrdma_pins_push(&cq->pins, &lasting, earlier);
		earlier = NULL;
	}
	mutex_unlock(&cq->resize_lock);
out:
	kfree(earlier);
	return err;
}

int vrdma_destroy_cq(struct ib_cq *ibcq, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibcq->device);
	struct vrdma_cq *cq = to_vrdma_cq(ibcq);

	vrdma_untrack(&dev->cqs, cq->handle, &cq->tracked);
	vrdma_cq_release(dev, cq);
	return 0;
}

static const struct ib_device_ops vrdma_cq_ops = {
	.create_cq = vrdma_create_cq,
	.destroy_cq = vrdma_destroy_cq,
	.req_notify_cq = vrdma_req_notify_cq,

	INIT_RDMA_OBJ_SIZE(ib_cq, vrdma_cq, ibcq),
};

static const struct ib_device_ops vrdma_resize_cq_ops = {
	.vrdma_op_resize_cq = vrdma_resize_cq,
};

void vrdma_cq_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_cq_ops);
	if (virtio_has_feature(dev->vdev, VRDMA_F_RESIZE_CQ))
		ib_set_device_ops(&dev->ibdev, &vrdma_resize_cq_ops);
}
