// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: asynchronous and completion events. */
#include <linux/slab.h>

#include "kernel_verbs/kernel_verbs.h"

/*
 * For an object that the device has just made.  One whose handle belongs to
 * another is not destroyed with @destroy: that would be the other's end.
 */
int vrdma_track(struct vrdma_dev *dev, struct xarray *table, struct vrdma_tracked *tracked,
		u32 uctx, u32 handle, u16 destroy)
{
	int err;

	refcount_set(&tracked->refs, 1);
	init_completion(&tracked->idle);

	err = xa_insert_irq(table, handle, tracked, GFP_KERNEL);
	if (err == -EBUSY) {
		dev_warn_ratelimited(&dev->vdev->dev, "handle %u given out twice\n", handle);
		return -EIO;
	}
	if (err)
		vrdma_cmd_release(dev, destroy, uctx, handle);
	return err;
}

struct vrdma_tracked *vrdma_tracked_get(struct xarray *table, u32 handle)
{
	struct vrdma_tracked *tracked;
	unsigned long flags;

	xa_lock_irqsave(table, flags);
	tracked = xa_load(table, handle);
	if (tracked)
		refcount_inc(&tracked->refs);
	xa_unlock_irqrestore(table, flags);

	return tracked;
}

/* The first object from *@handle on. */
struct vrdma_tracked *vrdma_tracked_next(struct xarray *table, unsigned long *handle)
{
	struct vrdma_tracked *tracked;
	unsigned long flags;

	xa_lock_irqsave(table, flags);
	tracked = xa_find(table, handle, ULONG_MAX, XA_PRESENT);
	if (tracked)
		refcount_inc(&tracked->refs);
	xa_unlock_irqrestore(table, flags);

	return tracked;
}

void vrdma_tracked_put(struct vrdma_tracked *tracked)
{
	if (refcount_dec_and_test(&tracked->refs))
		complete(&tracked->idle);
}

/* From here on, nobody finds the object. */
void vrdma_hide(struct xarray *table, u32 handle)
{
	xa_erase_irq(table, handle);
}

/*
 * Returns when no event handler uses the object any more.  To be called before
 * the device's object is destroyed: its handle is free for others after that.
 */
void vrdma_untrack(struct xarray *table, u32 handle, struct vrdma_tracked *tracked)
{
	vrdma_hide(table, handle);
	vrdma_tracked_put(tracked);
	wait_for_completion(&tracked->idle);
}

/* Fills @vq with as many buffers of @size bytes as it takes. */
int vrdma_inq_init(struct vrdma_inq *inq, struct virtqueue *vq, u32 size)
{
	unsigned int count = vq->num_free;
	struct scatterlist sg;
	unsigned int i;
	int err;

	spin_lock_init(&inq->lock);
	inq->vq = vq;
	inq->size = size;
	inq->buffers = kcalloc(count, size, GFP_KERNEL);
	if (!inq->buffers)
		return -ENOMEM;

	for (i = 0; i < count; i++) {
		sg_init_one(&sg, inq->buffers + i * size, size);
		err = virtqueue_add_inbuf(vq, &sg, 1, inq->buffers + i * size, GFP_KERNEL);
		if (err)
			return err;
	}

	return 0;
}

void vrdma_inq_free(struct vrdma_inq *inq)
{
	kfree(inq->buffers);
}

/* Takes one event out and gives its buffer back.  What was not written names nothing. */
static bool vrdma_inq_next(struct vrdma_inq *inq, void *event)
{
	struct virtqueue *vq = inq->vq;
	struct scatterlist sg;
	unsigned long flags;
	bool kick = false;
	void *buffer;
	u32 used;

	spin_lock_irqsave(&inq->lock, flags);
	buffer = virtqueue_get_buf(vq, &used);
	if (buffer) {
		memset(event, 0xff, inq->size);
		memcpy(event, buffer, min(used, inq->size));
		sg_init_one(&sg, buffer, inq->size);
		if (!virtqueue_add_inbuf(vq, &sg, 1, buffer, GFP_ATOMIC))
			kick = virtqueue_kick_prepare(vq);
	}
	spin_unlock_irqrestore(&inq->lock, flags);

	if (kick)
		virtqueue_notify(vq);
	return buffer;
}

static void vrdma_inq_disable_cb(struct vrdma_inq *inq)
{
	unsigned long flags;

	spin_lock_irqsave(&inq->lock, flags);
	virtqueue_disable_cb(inq->vq);
	spin_unlock_irqrestore(&inq->lock, flags);
}

/* False when events came in the meantime, for which there is no interrupt. */
static bool vrdma_inq_enable_cb(struct vrdma_inq *inq)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&inq->lock, flags);
	idle = virtqueue_is_broken(inq->vq) || virtqueue_enable_cb(inq->vq);
	spin_unlock_irqrestore(&inq->lock, flags);

	return idle;
}

void vrdma_dispatch(struct vrdma_dev *dev, enum ib_event_type type)
{
	struct ib_event event = {
		.device = &dev->ibdev,
		.element.port_num = VRDMA_PORT,
		.event = type,
	};

	if (READ_ONCE(dev->registered))
		ib_dispatch_event(&event);
}

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

static void vrdma_device_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	vrdma_dispatch(dev, type);
}

/* The device itself goes on, but all that it made is gone: it is given up. */
static void vrdma_fatal_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	WRITE_ONCE(dev->rnic_gone, true);
	vrdma_look(dev);
}

static void vrdma_connection_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	if (vrdma_iw_cm(dev))
		vrdma_iw_cm_event(dev);
}

static void vrdma_ucm_file_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	vrdma_ucm_event(dev, handle);
}

static const struct {
	void (*handle)(struct vrdma_dev *dev, u32 handle, enum ib_event_type type);
	enum ib_event_type type;
} vrdma_events[] = {
	[VRDMA_EVENT_CQ_ERR] = { vrdma_cq_event, IB_EVENT_CQ_ERR },
	[VRDMA_EVENT_QP_FATAL] = { vrdma_qp_event, IB_EVENT_QP_FATAL },
	[VRDMA_EVENT_QP_REQ_ERR] = { vrdma_qp_event, IB_EVENT_QP_REQ_ERR },
	[VRDMA_EVENT_QP_ACCESS_ERR] = { vrdma_qp_event, IB_EVENT_QP_ACCESS_ERR },
	[VRDMA_EVENT_COMM_EST] = { vrdma_qp_event, IB_EVENT_COMM_EST },
	[VRDMA_EVENT_SQ_DRAINED] = { vrdma_qp_event, IB_EVENT_SQ_DRAINED },
	[VRDMA_EVENT_QP_LAST_WQE_REACHED] = { vrdma_qp_event, IB_EVENT_QP_LAST_WQE_REACHED },
	[VRDMA_EVENT_SRQ_ERR] = { vrdma_srq_event, IB_EVENT_SRQ_ERR },
	[VRDMA_EVENT_SRQ_LIMIT_REACHED] = { vrdma_srq_event, IB_EVENT_SRQ_LIMIT_REACHED },
	[VRDMA_EVENT_PORT_ACTIVE] = { vrdma_device_event, IB_EVENT_PORT_ACTIVE },
	[VRDMA_EVENT_PORT_ERR] = { vrdma_device_event, IB_EVENT_PORT_ERR },
	[VRDMA_EVENT_GID_CHANGE] = { vrdma_device_event, IB_EVENT_GID_CHANGE },
	[VRDMA_EVENT_IW_CM] = { vrdma_connection_event, 0 },
	[VRDMA_EVENT_UCMA] = { vrdma_ucm_file_event, 0 },
	[VRDMA_EVENT_DEVICE_FATAL] = { vrdma_fatal_event, IB_EVENT_DEVICE_FATAL },
};

static void vrdma_handle_event(struct vrdma_dev *dev, const struct vrdma_event *event)
{
	u32 type = le32_to_cpu(event->type);

	if (type < ARRAY_SIZE(vrdma_events) && vrdma_events[type].handle)
		vrdma_events[type].handle(dev, le32_to_cpu(event->handle),
					  vrdma_events[type].type);
	else
		dev_warn_ratelimited(&dev->vdev->dev, "unknown event %u\n", type);
}

void vrdma_event_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vq->vdev->priv;
	struct vrdma_event event;

	do {
		vrdma_inq_disable_cb(&dev->eventq);
		while (vrdma_inq_next(&dev->eventq, &event))
			vrdma_handle_event(dev, &event);
	} while (!vrdma_inq_enable_cb(&dev->eventq));
}

static void vrdma_handle_completion(struct vrdma_dev *dev,
				    const struct vrdma_completion_event *event)
{
	struct vrdma_tracked *tracked = vrdma_tracked_get(&dev->cqs, le32_to_cpu(event->cq));
	struct vrdma_cq *cq;

	if (!tracked)
		return;

	cq = container_of(tracked, struct vrdma_cq, tracked);
	if (cq->kcq)
		vrdma_kcq_notify(cq);
	else if (cq->ibcq.comp_handler)
		cq->ibcq.comp_handler(&cq->ibcq, cq->ibcq.cq_context);
	vrdma_tracked_put(tracked);
}

void vrdma_completion_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vq->vdev->priv;
	struct vrdma_inq *inq = &dev->completionqs[vq->index - VRDMA_VQ_COMPLETION];
	struct vrdma_completion_event event;

	do {
		vrdma_inq_disable_cb(inq);
		while (vrdma_inq_next(inq, &event))
			vrdma_handle_completion(dev, &event);
	} while (!vrdma_inq_enable_cb(inq));
}
