// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: connections of an iWARP RNIC (VRDMA_F_IW_CM).
 *
 * The host's connection manager makes the connections.  The core's connection manager (iw_cm)
 * is told here what it would hear from an RNIC of its own.  The core has BUG_ON()s for events
 * that do not fit a connection's state, so events of the device go through the states of
 * struct vrdma_iw_conn: a connection that iw_connect began gets one CONNECT_REPLY, one that
 * iw_accept began gets one ESTABLISHED, and both get one CLOSE after that.
 *
 * dev->iw_cm->lock is held over the commands, so that events of a connection are
 * looked at only when it is known whether its command succeeded.  The core's
 * event handler does no more than queue work: it may be called with the lock.
 */
#include <linux/slab.h>
#include <rdma/iw_cm.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/events.h"
#include "core/objects.h"
#include "iw_cm/iw_cm.h"
#include "iw_cm/state.h"
#include "verbs/qp.h"

/* Finds the QP with the number @qpn and takes a reference, in any context. */
static struct vrdma_qp *vrdma_iw_find_qp(struct vrdma_dev *dev, u32 qpn)
{
	struct vrdma_qp *qp, *found = NULL;
	unsigned long index, flags;

	xa_lock_irqsave(&dev->qps, flags);
	xa_for_each(&dev->qps, index, qp) {
		qp = container_of((struct vrdma_tracked *)qp, struct vrdma_qp, tracked);
		if (qp->ibqp.qp_num == qpn) {
			refcount_inc(&qp->tracked.refs);
			found = qp;
			break;
		}
	}
	xa_unlock_irqrestore(&dev->qps, flags);

	return found;
}

/* All functions from here to vrdma_iw_event_work(), which takes it, need dev->iw_cm->lock. */

static struct vrdma_iw_conn *vrdma_iw_new(struct vrdma_dev *dev, struct iw_cm_id *cm_id,
					  enum vrdma_iw_state state)
{
	struct vrdma_iw_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);
	int err;

	if (!conn)
		return ERR_PTR(-ENOMEM);

	conn->state = state;
	conn->cm_id = cm_id;
	/* Ids are given out in turn, so that a freed id is the last to come back. */
	err = xa_alloc_cyclic(&dev->iw_cm->conns, &conn->id, conn, XA_LIMIT(0, VRDMA_NO_HANDLE - 1),
			      &dev->iw_cm->next_id, GFP_KERNEL);
	if (err < 0) {
		kfree(conn);
		return ERR_PTR(err);
	}

	cm_id->add_ref(cm_id);
	return conn;
}

static void vrdma_iw_free(struct vrdma_dev *dev, struct vrdma_iw_conn *conn)
{
	if (conn->qp)
		conn->qp->iw_conn = NULL;
	xa_erase(&dev->iw_cm->conns, conn->id);
	conn->cm_id->rem_ref(conn->cm_id);
	kfree(conn);
}

/* The reference to the QP is needed only until the QP has the connection. */
static struct vrdma_iw_conn *vrdma_iw_new_for_qp(struct vrdma_dev *dev, struct iw_cm_id *cm_id,
						 u32 qpn, enum vrdma_iw_state state)
{
	struct vrdma_qp *qp = vrdma_iw_find_qp(dev, qpn);
	struct vrdma_iw_conn *conn;

	if (!qp)
		return ERR_PTR(-EINVAL);

	conn = qp->iw_conn ? ERR_PTR(-EISCONN) : vrdma_iw_new(dev, cm_id, state);
	if (!IS_ERR(conn)) {
		conn->qp = qp;
		qp->iw_conn = conn;
	}
	vrdma_tracked_put(&qp->tracked);
	return conn;
}

/* These tell the core's connection manager. */

static int vrdma_iw_tell(struct vrdma_iw_conn *conn, enum iw_cm_event_type type, int status)
{
	struct iw_cm_event event = {
		.event = type,
		.status = status,
		.local_addr = conn->cm_id->local_addr,
		.remote_addr = conn->cm_id->remote_addr,
	};

	return conn->cm_id->event_handler(conn->cm_id, &event);
}

static void vrdma_iw_tell_established(struct vrdma_iw_conn *conn, enum iw_cm_event_type type,
				      struct vrdma_rsp_iw_event *rsp)
{
	struct iw_cm_event event = {
		.event = type,
		.local_addr = conn->cm_id->local_addr,
		.remote_addr = conn->cm_id->remote_addr,
		.ird = le16_to_cpu(rsp->param.ird),
		.ord = le16_to_cpu(rsp->param.ord),
		.private_data = rsp->param.private_data,
		.private_data_len = le16_to_cpu(rsp->param.private_data_len),
	};

	conn->state = VRDMA_IW_ESTABLISHED;
	/* Somebody waits for the event: it goes without private data where memory is short. */
	if (conn->cm_id->event_handler(conn->cm_id, &event) && event.private_data_len) {
		event.private_data_len = 0;
		conn->cm_id->event_handler(conn->cm_id, &event);
	}
}

/* Ends the connection.  @status is the result of one that was still being made. */
static void vrdma_iw_end(struct vrdma_dev *dev, struct vrdma_iw_conn *conn, int status)
{
	switch (conn->state) {
	case VRDMA_IW_LISTENING:
		/* A listener ends with iw_destroy_listen. */
		return;
	case VRDMA_IW_CONNECTING:
		vrdma_iw_tell(conn, IW_CM_EVENT_CONNECT_REPLY, status);
		break;
	case VRDMA_IW_ACCEPTING:
		vrdma_iw_tell(conn, IW_CM_EVENT_ESTABLISHED, 0);
		fallthrough;
	case VRDMA_IW_ESTABLISHED:
		vrdma_iw_tell(conn, IW_CM_EVENT_DISCONNECT, 0);
		vrdma_iw_tell(conn, IW_CM_EVENT_CLOSE, 0);
		break;
	}

	vrdma_iw_free(dev, conn);
}

static void vrdma_iw_requested(struct vrdma_dev *dev, struct vrdma_iw_conn *listener,
			       const struct vrdma_rsp_iw_event *rsp)
{
	u32 request = le32_to_cpu(rsp->request);
	struct iw_cm_event event = {
		.event = IW_CM_EVENT_CONNECT_REQUEST,
		.provider_data = (void *)(uintptr_t)request,
		.ird = le16_to_cpu(rsp->param.ird),
		.ord = le16_to_cpu(rsp->param.ord),
		.private_data = (void *)rsp->param.private_data,
		.private_data_len = le16_to_cpu(rsp->param.private_data_len),
	};

	if (!listener || listener->state != VRDMA_IW_LISTENING)
		goto reject;

	vrdma_iw_unpack_address(&event.local_addr, &rsp->local);
	vrdma_iw_unpack_address(&event.remote_addr, &rsp->remote);
	if (!listener->cm_id->event_handler(listener->cm_id, &event))
		return;
reject:
	vrdma_iw_send_reject(dev, request, NULL, 0);
}

static void vrdma_iw_handle(struct vrdma_dev *dev, struct vrdma_rsp_iw_event *rsp)
{
	struct vrdma_iw_conn *conn = xa_load(&dev->iw_cm->conns, le32_to_cpu(rsp->id));
	int status = le32_to_cpu(rsp->status);

	if (le32_to_cpu(rsp->type) == VRDMA_IW_EVENT_CONNECT_REQUEST) {
		vrdma_iw_requested(dev, conn, rsp);
		return;
	}
	if (!conn)
		return;

	switch (le32_to_cpu(rsp->type)) {
	case VRDMA_IW_EVENT_CONNECT_REPLY:
		if (conn->state != VRDMA_IW_CONNECTING)
			return;
		if (status)
			vrdma_iw_end(dev, conn, -status);
		else
			vrdma_iw_tell_established(conn, IW_CM_EVENT_CONNECT_REPLY, rsp);
		return;
	case VRDMA_IW_EVENT_ESTABLISHED:
		if (conn->state == VRDMA_IW_ACCEPTING)
			vrdma_iw_tell_established(conn, IW_CM_EVENT_ESTABLISHED, rsp);
		return;
	case VRDMA_IW_EVENT_CLOSED:
		vrdma_iw_end(dev, conn, -ECONNRESET);
		return;
	}
}

/* Returns false when there is no event any more. */
static bool vrdma_iw_next_event(struct vrdma_dev *dev)
{
	struct vrdma_rsp_iw_event *rsp;
	struct vrdma_cmd *cmd;
	bool more = false;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_IW_GET_EVENT, sizeof(struct vrdma_cmd_empty),
			      sizeof(*rsp), VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd)) {
		/* Nobody else would look again. */
		queue_work(system_long_wq, &dev->iw_cm->event_work);
		return false;
	}

	if (!vrdma_cmd_exec(dev, cmd)) {
		rsp = cmd->rsp;
		more = vrdma_rsp_iw_event_valid(rsp) &&
		       le32_to_cpu(rsp->type) != VRDMA_IW_EVENT_NONE;
		if (more)
			vrdma_iw_handle(dev, rsp);
	}

	vrdma_cmd_put(cmd);
	return more;
}

/* For a device that is gone: it ends no connections any more. */
static void vrdma_iw_end_all(struct vrdma_dev *dev)
{
	struct vrdma_iw_conn *conn;
	unsigned long index;

	xa_for_each(&dev->iw_cm->conns, index, conn)
		vrdma_iw_end(dev, conn, -ENODEV);
}

static void vrdma_iw_event_work(struct work_struct *work)
{
	struct vrdma_dev *dev = container_of(work, struct vrdma_iw_cm, event_work)->dev;

	mutex_lock(&dev->iw_cm->lock);
	while (vrdma_alive(dev) && vrdma_iw_next_event(dev))
		;
	if (!vrdma_alive(dev))
		vrdma_iw_end_all(dev);
	mutex_unlock(&dev->iw_cm->lock);
}

/* The rest of the driver and the core call what follows, without dev->iw_cm->lock. */

static void vrdma_iw_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	if (dev->iw_cm)
		queue_work(system_long_wq, &dev->iw_cm->event_work);
}

/* Ends all connections of a dead device. */
void vrdma_iw_cm_fail(struct vrdma_dev *dev)
{
	if (dev->iw_cm)
		queue_work(system_long_wq, &dev->iw_cm->event_work);
}

/* To be called before the device's queues are started. */
int vrdma_iw_cm_init(struct vrdma_dev *dev)
{
	struct vrdma_iw_cm *iw;

	vrdma_event_register(dev, VRDMA_EVENT_IW_CM, vrdma_iw_event, 0);
	if (!vrdma_has_iw_cm(dev))
		return 0;

	iw = kzalloc(sizeof(*iw), GFP_KERNEL);
	if (!iw)
		return -ENOMEM;

	iw->dev = dev;
	mutex_init(&iw->lock);
	xa_init_flags(&iw->conns, XA_FLAGS_ALLOC);
	INIT_WORK(&iw->event_work, vrdma_iw_event_work);
	vrdma_iw_addresses_init(iw);
	dev->iw_cm = iw;
	return 0;
}

/* To be called when the device is dead and nothing else uses it. */
void vrdma_iw_cm_stop(struct vrdma_dev *dev)
{
	if (!dev->iw_cm)
		return;

	cancel_work_sync(&dev->iw_cm->event_work);
	mutex_lock(&dev->iw_cm->lock);
	vrdma_iw_end_all(dev);
	mutex_unlock(&dev->iw_cm->lock);
}

/* To be called when the queues are stopped. */
void vrdma_iw_cm_free(struct vrdma_dev *dev)
{
	kfree(dev->iw_cm);
	dev->iw_cm = NULL;
}

/* Drops the connection of a QP that iw_get_qp does not find any more. */
static void vrdma_iw_close_qp(struct vrdma_dev *dev, struct vrdma_qp *qp)
{
	struct vrdma_iw_conn *conn;

	mutex_lock(&dev->iw_cm->lock);
	conn = qp->iw_conn;
	if (conn) {
		vrdma_cmd_release(dev, VRDMA_CMD_IW_CLOSE, VRDMA_NO_HANDLE, conn->id, NULL);
		vrdma_iw_end(dev, conn, -ECONNRESET);
	}
	mutex_unlock(&dev->iw_cm->lock);
}

/* vrdma_destroy_qp() waits for the references to the QP; a connection may have one. */
static int vrdma_iw_destroy_qp(struct ib_qp *ibqp, struct ib_udata *udata)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibqp->device);
	struct vrdma_qp *qp = to_vrdma_qp(ibqp);

	vrdma_hide(&dev->qps, qp->handle);
	vrdma_iw_close_qp(dev, qp);
	return vrdma_destroy_qp(ibqp, udata);
}

static int vrdma_iw_connect(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct vrdma_dev *dev = to_vrdma_dev(cm_id->device);
	struct vrdma_iw_conn *conn;
	int err;

	vrdma_iw_sync_addresses(dev);

	mutex_lock(&dev->iw_cm->lock);
	conn = vrdma_iw_new_for_qp(dev, cm_id, param->qpn, VRDMA_IW_CONNECTING);
	err = PTR_ERR_OR_ZERO(conn);
	if (!err) {
		err = vrdma_iw_send_connect(dev, conn, param);
		if (err)
			vrdma_iw_free(dev, conn);
	}
	mutex_unlock(&dev->iw_cm->lock);

	return err;
}

static int vrdma_iw_accept(struct iw_cm_id *cm_id, struct iw_cm_conn_param *param)
{
	struct vrdma_dev *dev = to_vrdma_dev(cm_id->device);
	u32 request = (uintptr_t)cm_id->provider_data;
	struct vrdma_iw_conn *conn;
	int err;

	mutex_lock(&dev->iw_cm->lock);
	conn = vrdma_iw_new_for_qp(dev, cm_id, param->qpn, VRDMA_IW_ACCEPTING);
	err = PTR_ERR_OR_ZERO(conn);
	if (err) {
		vrdma_iw_send_reject(dev, request, NULL, 0);
	} else {
		err = vrdma_iw_send_accept(dev, conn, request, param);
		if (err)
			vrdma_iw_free(dev, conn);
	}
	mutex_unlock(&dev->iw_cm->lock);

	return err;
}

static int vrdma_iw_reject(struct iw_cm_id *cm_id, const void *data, u8 length)
{
	struct vrdma_dev *dev = to_vrdma_dev(cm_id->device);

	return vrdma_iw_send_reject(dev, (uintptr_t)cm_id->provider_data, data, length);
}

static int vrdma_iw_create_listen(struct iw_cm_id *cm_id, int backlog)
{
	struct vrdma_dev *dev = to_vrdma_dev(cm_id->device);
	struct vrdma_iw_conn *conn;
	int err;

	vrdma_iw_sync_addresses(dev);

	mutex_lock(&dev->iw_cm->lock);
	conn = vrdma_iw_new(dev, cm_id, VRDMA_IW_LISTENING);
	err = PTR_ERR_OR_ZERO(conn);
	if (!err) {
		err = vrdma_iw_send_listen(dev, conn, backlog);
		if (err)
			vrdma_iw_free(dev, conn);
		else
			cm_id->provider_data = conn;
	}
	mutex_unlock(&dev->iw_cm->lock);

	return err;
}

static int vrdma_iw_destroy_listen(struct iw_cm_id *cm_id)
{
	struct vrdma_dev *dev = to_vrdma_dev(cm_id->device);
	struct vrdma_iw_conn *conn = cm_id->provider_data;

	mutex_lock(&dev->iw_cm->lock);
	vrdma_cmd_release(dev, VRDMA_CMD_IW_CLOSE, VRDMA_NO_HANDLE, conn->id, NULL);
	vrdma_iw_free(dev, conn);
	mutex_unlock(&dev->iw_cm->lock);
	return 0;
}

/*
 * Called with a spinlock, and always followed by iw_add_ref in the same section.
 * The reference is taken here, where the QP cannot go between finding and taking.
 */
static struct ib_qp *vrdma_iw_get_qp(struct ib_device *ibdev, int qpn)
{
	struct vrdma_qp *qp = vrdma_iw_find_qp(to_vrdma_dev(ibdev), qpn);

	return qp ? &qp->ibqp : NULL;
}

static void vrdma_iw_add_ref(struct ib_qp *ibqp)
{
}

static void vrdma_iw_rem_ref(struct ib_qp *ibqp)
{
	vrdma_tracked_put(&to_vrdma_qp(ibqp)->tracked);
}

static const struct ib_device_ops vrdma_iw_cm_ops = {
	.destroy_qp = vrdma_iw_destroy_qp,
	.iw_accept = vrdma_iw_accept,
	.iw_add_ref = vrdma_iw_add_ref,
	.iw_connect = vrdma_iw_connect,
	.iw_create_listen = vrdma_iw_create_listen,
	.iw_destroy_listen = vrdma_iw_destroy_listen,
	.iw_get_qp = vrdma_iw_get_qp,
	.iw_reject = vrdma_iw_reject,
	.iw_rem_ref = vrdma_iw_rem_ref,
};

void vrdma_iw_cm_set_ops(struct vrdma_dev *dev)
{
	if (vrdma_has_iw_cm(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iw_cm_ops);
}
