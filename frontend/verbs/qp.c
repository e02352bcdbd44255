// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: queue pairs. */
#include <linux/uaccess.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/doorbells.h"
#include "core/events.h"
#include "verbs/ah.h"
#include "verbs/cq.h"
#include "verbs/pd.h"
#include "verbs/qp.h"
#include "verbs/srq.h"
#include "verbs/xrcd.h"
#include "vrdma_udata_memory.h"

#define VRDMA_QP_ATTR_MASK	(IB_QP_STATE | IB_QP_CUR_STATE | IB_QP_EN_SQD_ASYNC_NOTIFY | \
				 IB_QP_ACCESS_FLAGS | IB_QP_PKEY_INDEX | IB_QP_PORT | \
				 IB_QP_QKEY | IB_QP_AV | IB_QP_PATH_MTU | IB_QP_TIMEOUT | \
				 IB_QP_RETRY_CNT | IB_QP_RNR_RETRY | IB_QP_RQ_PSN | \
				 IB_QP_MAX_QP_RD_ATOMIC | IB_QP_MIN_RNR_TIMER | \
				 IB_QP_SQ_PSN | IB_QP_MAX_DEST_RD_ATOMIC | \
				 IB_QP_PATH_MIG_STATE | IB_QP_CAP | IB_QP_DEST_QPN | \
				 IB_QP_RATE_LIMIT)

/* The events of a queue pair, and the core's names for them. */
static const struct {
	enum vrdma_event_type type;
	enum ib_event_type ib_type;
} vrdma_qp_events[] = {
	{ VRDMA_EVENT_QP_FATAL, IB_EVENT_QP_FATAL },
	{ VRDMA_EVENT_QP_REQ_ERR, IB_EVENT_QP_REQ_ERR },
	{ VRDMA_EVENT_QP_ACCESS_ERR, IB_EVENT_QP_ACCESS_ERR },
	{ VRDMA_EVENT_COMM_EST, IB_EVENT_COMM_EST },
	{ VRDMA_EVENT_SQ_DRAINED, IB_EVENT_SQ_DRAINED },
	{ VRDMA_EVENT_QP_LAST_WQE_REACHED, IB_EVENT_QP_LAST_WQE_REACHED },
};

static void vrdma_qp_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	struct vrdma_tracked *tracked = vrdma_tracked_get(&dev->qps, handle);
	struct ib_event event = { .device = &dev->ibdev, .event = type };
	struct ib_qp *ibqp;

	if (!tracked)
		return;

	ibqp = &container_of(tracked, struct vrdma_qp, tracked)->ibqp;
	event.element.qp = ibqp;
	if (ibqp->event_handler)
		ibqp->event_handler(&event, ibqp->qp_context);
	vrdma_tracked_put(tracked);
}

void vrdma_qp_init(struct vrdma_dev *dev)
{
	unsigned int i;

	xa_init_flags(&dev->qps, XA_FLAGS_LOCK_IRQ);
	for (i = 0; i < ARRAY_SIZE(vrdma_qp_events); i++)
		vrdma_event_register(dev, vrdma_qp_events[i].type, vrdma_qp_event,
				     vrdma_qp_events[i].ib_type);
}

static void vrdma_pack_qp_cap(struct vrdma_qp_cap *to, const struct ib_qp_cap *from)
{
	to->max_send_wr = cpu_to_le32(from->max_send_wr);
	to->max_recv_wr = cpu_to_le32(from->max_recv_wr);
	to->max_send_sge = cpu_to_le32(from->max_send_sge);
	to->max_recv_sge = cpu_to_le32(from->max_recv_sge);
	to->max_inline_data = cpu_to_le32(from->max_inline_data);
}

static void vrdma_unpack_qp_cap(struct ib_qp_cap *to, const struct vrdma_qp_cap *from)
{
	to->max_send_wr = le32_to_cpu(from->max_send_wr);
	to->max_recv_wr = le32_to_cpu(from->max_recv_wr);
	to->max_send_sge = le32_to_cpu(from->max_send_sge);
	to->max_recv_sge = le32_to_cpu(from->max_recv_sge);
	to->max_inline_data = le32_to_cpu(from->max_inline_data);
}

static void vrdma_pack_qp_attr(struct vrdma_qp_attr *to, const struct ib_qp_attr *from, int mask)
{
	to->qp_state = from->qp_state;
	to->cur_qp_state = from->cur_qp_state;
	to->path_mtu = from->path_mtu;
	to->path_mig_state = from->path_mig_state;
	to->qkey = cpu_to_le32(from->qkey);
	to->rq_psn = cpu_to_le32(from->rq_psn);
	to->sq_psn = cpu_to_le32(from->sq_psn);
	to->dest_qp_num = cpu_to_le32(from->dest_qp_num);
	to->qp_access_flags = cpu_to_le32(from->qp_access_flags);
	to->pkey_index = cpu_to_le16(from->pkey_index);
	to->en_sqd_async_notify = from->en_sqd_async_notify;
	to->max_rd_atomic = from->max_rd_atomic;
	to->max_dest_rd_atomic = from->max_dest_rd_atomic;
	to->min_rnr_timer = from->min_rnr_timer;
	to->port = from->port_num;
	to->timeout = from->timeout;
	to->retry_cnt = from->retry_cnt;
	to->rnr_retry = from->rnr_retry;
	to->rate_limit = cpu_to_le32(from->rate_limit);
	if (mask & IB_QP_AV)
		vrdma_pack_ah_attr(&to->ah, &from->ah_attr);
	if (mask & IB_QP_CAP)
		vrdma_pack_qp_cap(&to->cap, &from->cap);
}

static void vrdma_unpack_qp_attr(struct vrdma_dev *dev, struct ib_qp_attr *to,
				 const struct vrdma_qp_attr *from)
{
	to->qp_state = from->qp_state;
	to->cur_qp_state = from->cur_qp_state;
	to->path_mtu = from->path_mtu;
	to->path_mig_state = from->path_mig_state;
	to->qkey = le32_to_cpu(from->qkey);
	to->rq_psn = le32_to_cpu(from->rq_psn);
	to->sq_psn = le32_to_cpu(from->sq_psn);
	to->dest_qp_num = le32_to_cpu(from->dest_qp_num);
	to->qp_access_flags = le32_to_cpu(from->qp_access_flags);
	to->pkey_index = le16_to_cpu(from->pkey_index);
	to->en_sqd_async_notify = from->en_sqd_async_notify;
	to->sq_draining = from->sq_draining;
	to->max_rd_atomic = from->max_rd_atomic;
	to->max_dest_rd_atomic = from->max_dest_rd_atomic;
	to->min_rnr_timer = from->min_rnr_timer;
	to->port_num = from->port;
	to->timeout = from->timeout;
	to->retry_cnt = from->retry_cnt;
	to->rnr_retry = from->rnr_retry;
	to->rate_limit = le32_to_cpu(from->rate_limit);
	vrdma_unpack_ah_attr(dev, &to->ah_attr, &from->ah);
	vrdma_unpack_qp_cap(&to->cap, &from->cap);
}

static int vrdma_qp_check_init_attr(const struct vrdma_dev *dev,
				    const struct ib_qp_init_attr *init_attr, bool kernel)
{
	bool sends = true, receives = true;

	switch (init_attr->qp_type) {
	case IB_QPT_GSI:
		if (!kernel)
			return -EOPNOTSUPP;
		break;
	case IB_QPT_RC:
	case IB_QPT_UC:
	case IB_QPT_UD:
		break;
	/* The core makes a user's target as it makes a queue pair of its own: without udata. */
	case IB_QPT_XRC_TGT:
		if (!virtio_has_feature(dev->vdev, VRDMA_F_XRC))
			return -EOPNOTSUPP;
		sends = false;
		receives = false;
		break;
	case IB_QPT_XRC_INI:
		if (kernel || !virtio_has_feature(dev->vdev, VRDMA_F_XRC))
			return -EOPNOTSUPP;
		receives = false;
		break;
	default:
		return -EOPNOTSUPP;
	}

	if (init_attr->rwq_ind_tbl)
		return -EOPNOTSUPP;
	if ((sends && !init_attr->send_cq) || (receives && !init_attr->recv_cq))
		return -EINVAL;
	return 0;
}

static __le32 vrdma_cq_or_none(struct ib_cq *ibcq)
{
	return cpu_to_le32(ibcq ? to_vrdma_cq(ibcq)->handle : VRDMA_NO_HANDLE);
}

static void vrdma_qp_pack_create(struct vrdma_cmd_create_qp *req, struct ib_pd *ibpd,
				 const struct ib_qp_init_attr *init_attr)
{
	if (init_attr->qp_type == IB_QPT_XRC_TGT) {
		req->pd = cpu_to_le32(to_vrdma_xrcd(init_attr->xrcd)->handle);
		req->send_cq = cpu_to_le32(VRDMA_NO_HANDLE);
	} else {
		req->pd = cpu_to_le32(to_vrdma_pd(ibpd)->handle);
		req->send_cq = vrdma_cq_or_none(init_attr->send_cq);
	}
	if (init_attr->qp_type == IB_QPT_XRC_TGT || init_attr->qp_type == IB_QPT_XRC_INI)
		req->recv_cq = cpu_to_le32(VRDMA_NO_HANDLE);
	else
		req->recv_cq = vrdma_cq_or_none(init_attr->recv_cq);
	req->srq = cpu_to_le32(init_attr->srq ? to_vrdma_srq(init_attr->srq)->handle :
						VRDMA_NO_HANDLE);
	req->qp_type = init_attr->qp_type;
	req->sq_sig_all = init_attr->sq_sig_type == IB_SIGNAL_ALL_WR;
	req->create_flags = cpu_to_le32(init_attr->create_flags);
	vrdma_pack_qp_cap(&req->cap, &init_attr->cap);
}

/*
 * The command that makes a QP.  A target of XRC lives as long as any process has it open, so it
 * belongs to no user context, and what the library of the process that makes it passes or expects
 * has no meaning there: the library gets zeros.
 */
static struct vrdma_cmd *vrdma_qp_alloc_create(struct vrdma_dev *dev, struct vrdma_qp *qp,
					       const struct ib_qp_init_attr *init_attr,
					       struct ib_udata *udata, u32 answer_len)
{
	const u32 req_len = sizeof(struct vrdma_cmd_create_qp);
	const u32 rsp_len = sizeof(struct vrdma_rsp_create_qp);
	struct vrdma_cmd *cmd;

	if (init_attr->qp_type != IB_QPT_XRC_TGT) {
		qp->uctx = to_vrdma_pd(qp->ibqp.pd)->uctx;
		return vrdma_cmd_alloc_verb(dev, VRDMA_CMD_CREATE_QP, req_len, rsp_len, qp->uctx,
					    udata, answer_len);
	}

	if (udata && udata->outlen && clear_user(udata->outbuf, udata->outlen))
		return ERR_PTR(-EFAULT);
	qp->uctx = VRDMA_NO_HANDLE;
	cmd = vrdma_cmd_alloc_room(dev, VRDMA_CMD_CREATE_QP, req_len, rsp_len, 0, 0);
	if (!cmd)
		return ERR_PTR(-ENOMEM);
	/* Nothing would take it along when its caller is killed. */
	cmd->undo = VRDMA_CMD_DESTROY_QP;
	return cmd;
}

/* Makes the device's QP, as vrdma_cq_acquire() makes a CQ. */
int vrdma_qp_acquire(struct vrdma_dev *dev, struct vrdma_qp *qp,
		     struct ib_qp_init_attr *init_attr, struct ib_udata *udata, void *answer,
		     u32 answer_len)
{
	const struct vrdma_udata_counts counts = {
		.max_wr = init_attr->cap.max_recv_wr,
		.max_sge = init_attr->cap.max_recv_sge,
		.max_send_wr = init_attr->cap.max_send_wr,
	};
	struct vrdma_rsp_create_qp *rsp;
	struct vrdma_cmd *cmd;
	int err;

	err = vrdma_qp_check_init_attr(dev, init_attr, !udata);
	if (err)
		return err;

	qp->sig_type = init_attr->sq_sig_type;
	cmd = vrdma_qp_alloc_create(dev, qp, init_attr, udata, answer_len);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	vrdma_qp_pack_create(cmd->req, qp->ibqp.pd, init_attr);

	err = vrdma_cmd_exec_user(dev, cmd, &counts, &qp->pins);
	if (err)
		goto out;

	rsp = cmd->rsp;
	qp->handle = le32_to_cpu(rsp->handle);
	qp->ibqp.qp_num = le32_to_cpu(rsp->qp_num);
	vrdma_unpack_qp_cap(&qp->cap, &rsp->cap);
	if (qp->handle >= dev->max_qp || qp->ibqp.qp_num >> 24)
		err = -EIO;
	else
		err = vrdma_cmd_copy_answer(cmd, udata, answer, answer_len);
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_QP, qp->uctx, qp->handle, &qp->pins);
out:
	vrdma_cmd_put(cmd);
	return err;
}

/* Events find the QP from here on.  On an error, nothing is left to release. */
int vrdma_qp_show(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	int err = vrdma_track(dev, &dev->qps, &qp->tracked, qp->uctx, qp->handle,
			      VRDMA_CMD_DESTROY_QP);

	if (err)
		vrdma_pins_release(&qp->pins);
	return err;
}

/* For a QP that events do not find any more. */
void vrdma_qp_release(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	/* Memory that the device may still use stays pinned. */
	vrdma_cmd_release(dev, VRDMA_CMD_DESTROY_QP, qp->uctx, qp->handle, &qp->pins);
}

/* Says what the QP has.  max_rdma_ctxs is the core's own. */
void vrdma_qp_fill_cap(struct vrdma_qp *qp, struct ib_qp_init_attr *init_attr)
{
	qp->cap.max_rdma_ctxs = init_attr->cap.max_rdma_ctxs;
	init_attr->cap = qp->cap;
}

int vrdma_create_qp(struct ib_qp *ibqp, struct ib_qp_init_attr *init_attr, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	int err;

	if (!udata && init_attr->qp_type != IB_QPT_XRC_TGT)
		return -EOPNOTSUPP;

	err = vrdma_qp_acquire(dev, qp, init_attr, udata, NULL, 0);
	if (err)
		return err;
	err = vrdma_qp_show(dev, qp);
	if (err)
		return err;

	vrdma_qp_fill_cap(qp, init_attr);
	return 0;
}

int vrdma_modify_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	struct vrdma_cmd_modify_qp *req;
	struct vrdma_cmd *cmd;
	int err;

	if (mask & ~VRDMA_QP_ATTR_MASK)
		return -EOPNOTSUPP;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MODIFY_QP, sizeof(*req),
			      sizeof(struct vrdma_rsp_empty), qp->uctx, udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(qp->handle);
	req->attr_mask = cpu_to_le32(mask);
	vrdma_pack_qp_attr(&req->attr, attr, mask);

	err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	if (!err) {
		if (mask & IB_QP_STATE)
			WRITE_ONCE(qp->state, attr->qp_state);
		err = vrdma_cmd_copy_udata(cmd, udata);
	}

	vrdma_cmd_put(cmd);
	return err;
}

static void vrdma_qp_fill_init_attr(const struct vrdma_qp *qp, const struct ib_qp_cap *cap,
				    struct ib_qp_init_attr *init_attr)
{
	const struct ib_qp *ibqp = &qp->ibqp;

	init_attr->event_handler = ibqp->event_handler;
	init_attr->qp_context = ibqp->qp_context;
	init_attr->send_cq = ibqp->send_cq;
	init_attr->recv_cq = ibqp->recv_cq;
	init_attr->srq = ibqp->srq;
	init_attr->qp_type = ibqp->qp_type;
	init_attr->sq_sig_type = qp->sig_type;
	init_attr->cap = *cap;
}

static int vrdma_query_qp(struct ib_qp *ibqp, struct ib_qp_attr *attr, int mask,
			  struct ib_qp_init_attr *init_attr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);
	struct vrdma_rsp_query_qp *rsp;
	struct vrdma_cmd_query_qp *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_QUERY_QP, sizeof(*req), sizeof(*rsp), qp->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->handle = cpu_to_le32(qp->handle);
	req->attr_mask = cpu_to_le32(mask);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		vrdma_unpack_qp_attr(dev, attr, &rsp->attr);
		/* The RNIC may have made the queues longer than CREATE_QP said. */
		vrdma_qp_fill_init_attr(qp, &attr->cap, init_attr);
	}

	vrdma_cmd_put(cmd);
	return err;
}

int vrdma_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);

	vrdma_untrack(&dev->qps, qp->handle, &qp->tracked);
	vrdma_qp_release(dev, qp);
	return 0;
}

/*
 * Rings the doorbell.  The user's library writes the queue itself, and enters the kernel,
 * without work requests, where its RNIC has no doorbell page.
 */
int vrdma_post_send(struct ib_qp *ibqp, const struct ib_send_wr *wr,
		    const struct ib_send_wr **bad_wr)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);

	*bad_wr = wr;
	if (wr)
		return -EOPNOTSUPP;
	if (!vrdma_alive(dev))
		return -EIO;
	/* Nothing is sent before RTS (IBTA 1.4, 10.3.1), and nobody answers a doorbell. */
	if (!vrdma_is_iwarp(dev) && READ_ONCE(qp->state) < IB_QPS_RTS)
		return -EINVAL;

	vrdma_doorbell_qp(dev, qp->handle);
	return 0;
}

static const struct ib_device_ops vrdma_qp_ops = {
	.create_qp = vrdma_create_qp,
	.destroy_qp = vrdma_destroy_qp,
	.modify_qp = vrdma_modify_qp,
	.post_send = vrdma_post_send,
	.query_qp = vrdma_query_qp,

	INIT_RDMA_OBJ_SIZE(ib_qp, vrdma_qp, ibqp),
};

void vrdma_qp_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_qp_ops);
}
