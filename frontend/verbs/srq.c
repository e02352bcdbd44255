// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: shared receive queues. */
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/events.h"
#include "verbs/cq.h"
#include "verbs/pd.h"
#include "verbs/srq.h"
#include "verbs/xrcd.h"
#include "vrdma_udata_memory.h"

static void vrdma_srq_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	struct vrdma_tracked *tracked = vrdma_tracked_get(&dev->srqs, handle);
	struct ib_event event = { .device = &dev->ibdev, .event = type };
	struct ib_srq *ibsrq;

	if (!tracked)
		return;

	ibsrq = &container_of(tracked, struct vrdma_srq, tracked)->ibsrq;
	event.element.srq = ibsrq;
	if (ibsrq->event_handler)
		ibsrq->event_handler(&event, ibsrq->srq_context);
	vrdma_tracked_put(tracked);
}

void vrdma_srq_init(struct vrdma_dev *dev)
{
	xa_init_flags(&dev->srqs, XA_FLAGS_LOCK_IRQ);
	vrdma_event_register(dev, VRDMA_EVENT_SRQ_ERR, vrdma_srq_event, IB_EVENT_SRQ_ERR);
	vrdma_event_register(dev, VRDMA_EVENT_SRQ_LIMIT_REACHED, vrdma_srq_event,
			     IB_EVENT_SRQ_LIMIT_REACHED);
}

static int vrdma_srq_create_basic(struct vrdma_dev *dev, struct vrdma_srq *srq,
				  struct ib_srq_attr *attr, struct ib_udata *udata, void *answer,
				  u32 answer_len)
{
	const struct vrdma_udata_counts counts = {
		.max_wr = attr->max_wr,
		.max_sge = attr->max_sge,
	};
	struct vrdma_cmd_create_srq *req;
	struct vrdma_rsp_create_srq *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc_verb(dev, VRDMA_CMD_CREATE_SRQ, sizeof(*req), sizeof(*rsp), srq->uctx,
				   udata, answer_len);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(to_vrdma_pd(srq->ibsrq.pd)->handle);
	req->max_wr = cpu_to_le32(attr->max_wr);
	req->max_sge = cpu_to_le32(attr->max_sge);
	req->srq_limit = cpu_to_le32(attr->srq_limit);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, &srq->pins);
	if (err)
		goto out;

	rsp = cmd->rsp;
	srq->handle = le32_to_cpu(rsp->handle);
	attr->max_wr = le32_to_cpu(rsp->max_wr);
	attr->max_sge = le32_to_cpu(rsp->max_sge);
	err = vrdma_cmd_copy_answer(cmd, udata, answer, answer_len);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_SRQ, srq->uctx, srq->handle, &srq->pins);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_srq_create_xrc(struct vrdma_dev *dev, struct vrdma_srq *srq,
				struct ib_srq_init_attr *init_attr, struct ib_udata *udata)
{
	struct ib_srq_attr *attr = &init_attr->attr;
	const struct vrdma_udata_counts counts = {
		.max_wr = attr->max_wr,
		.max_sge = attr->max_sge,
	};
	struct vrdma_cmd_create_xrc_srq *req;
	struct vrdma_rsp_create_xrc_srq *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_CREATE_XRC_SRQ, sizeof(*req), sizeof(*rsp), srq->uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->pd = cpu_to_le32(to_vrdma_pd(srq->ibsrq.pd)->handle);
	req->xrcd = cpu_to_le32(to_vrdma_xrcd(init_attr->ext.xrc.xrcd)->handle);
	req->cq = cpu_to_le32(to_vrdma_cq(init_attr->ext.cq)->handle);
	req->max_wr = cpu_to_le32(attr->max_wr);
	req->max_sge = cpu_to_le32(attr->max_sge);
	req->srq_limit = cpu_to_le32(attr->srq_limit);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, &srq->pins);
	if (err)
		goto out;

	rsp = cmd->rsp;
	srq->handle = le32_to_cpu(rsp->handle);
	srq->ibsrq.ext.xrc.srq_num = le32_to_cpu(rsp->srq_num);
	attr->max_wr = le32_to_cpu(rsp->max_wr);
	attr->max_sge = le32_to_cpu(rsp->max_sge);
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_SRQ, srq->uctx, srq->handle, &srq->pins);
out:
	vrdma_cmd_put(cmd);
	return err;
}

/* Makes the device's SRQ, as vrdma_cq_acquire() makes a CQ. */
int vrdma_srq_acquire(struct vrdma_dev *dev, struct vrdma_srq *srq,
		      struct ib_srq_init_attr *init_attr, struct ib_udata *udata, void *answer,
		      u32 answer_len)
{
	srq->uctx = to_vrdma_pd(srq->ibsrq.pd)->uctx;

	switch (init_attr->srq_type) {
	case IB_SRQT_BASIC:
		return vrdma_srq_create_basic(dev, srq, &init_attr->attr, udata, answer,
					      answer_len);
	case IB_SRQT_XRC:
		if (!udata || !virtio_has_feature(dev->vdev, VRDMA_F_XRC))
			return -EOPNOTSUPP;
		return vrdma_srq_create_xrc(dev, srq, init_attr, udata);
	default:
		return -EOPNOTSUPP;
	}
}

/* Events find the SRQ from here on.  On an error, nothing is left to release. */
int vrdma_srq_show(struct vrdma_dev *dev, struct vrdma_srq *srq)
{
	int err = vrdma_track(dev, &dev->srqs, &srq->tracked, srq->uctx, srq->handle,
			      VRDMA_CMD_DESTROY_SRQ);

	if (err)
		vrdma_pins_release(&srq->pins);
	return err;
}

/* For an SRQ that events do not find any more. */
void vrdma_srq_release(struct vrdma_dev *dev, struct vrdma_srq *srq)
{
	/* Memory that the device may still use stays pinned. */
	vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_SRQ, srq->uctx, srq->handle, &srq->pins);
}

int vrdma_create_srq(struct ib_srq *ibsrq, struct ib_srq_init_attr *init_attr,
		     struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibsrq->device);
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);
	int err;

	if (!udata)
		return -EOPNOTSUPP;

	err = vrdma_srq_acquire(dev, srq, init_attr, udata, NULL, 0);
	if (err)
		return err;
	return vrdma_srq_show(dev, srq);
}

static int vrdma_modify_srq(struct ib_srq *ibsrq, struct ib_srq_attr *attr,
			    enum ib_srq_attr_mask mask, struct ib_udata *udata)
{
	const struct vrdma_udata_counts counts = { .max_wr = attr->max_wr };
	struct vrdma_dev *dev = to_vrdma_dev(ibsrq->device);
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);
	struct vrdma_cmd_modify_srq *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MODIFY_SRQ, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), srq->uctx, udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(srq->handle);
	req->attr_mask = cpu_to_le32(mask);
	req->max_wr = cpu_to_le32(attr->max_wr);
	req->srq_limit = cpu_to_le32(attr->srq_limit);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, NULL);
	if (!err)
		err = vrdma_cmd_copy_udata(cmd, udata);

	vrdma_cmd_put(cmd);
	return err;
}

static int vrdma_query_srq(struct ib_srq *ibsrq, struct ib_srq_attr *attr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibsrq->device);
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);
	struct vrdma_rsp_query_srq *rsp;
	struct vrdma_cmd_handle *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_QUERY_SRQ, sizeof(*req), sizeof(*rsp), srq->uctx,
			      NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(srq->handle);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		attr->max_wr = le32_to_cpu(rsp->max_wr);
		attr->max_sge = le32_to_cpu(rsp->max_sge);
		attr->srq_limit = le32_to_cpu(rsp->srq_limit);
	}

	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_destroy_srq(struct ib_srq *ibsrq, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibsrq->device);
	struct vrdma_srq *srq = to_vrdma_srq(ibsrq);

	vrdma_untrack(&dev->srqs, srq->handle, &srq->tracked);
	vrdma_srq_release(dev, srq);
	return 0;
}

static const struct ib_device_ops vrdma_srq_ops = {
	.create_srq = vrdma_create_srq,
	.destroy_srq = vrdma_destroy_srq,
	.modify_srq = vrdma_modify_srq,
	.query_srq = vrdma_query_srq,

	INIT_RDMA_OBJ_SIZE(ib_srq, vrdma_srq, ibsrq),
};

void vrdma_srq_set_ops(struct vrdma_dev *dev)
{
	if (virtio_has_feature(dev->vdev, VRDMA_F_SRQ))
		ib_set_device_ops(&dev->ibdev, &vrdma_srq_ops);
}
