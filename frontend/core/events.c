// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: asynchronous and completion events. */
#include <linux/slab.h>

#include "core/dev.h"
#include "core/events.h"

/* Fills @vq with as many buffers of @size bytes as it takes.  Returns an errno. */
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

/*
 * Takes one event out and gives its buffer back.  Bytes that the device did not write are
 * 0xff, which no handle or type has.  Returns false when there is no event.
 */
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

/* Returns false when events came in the meantime, for which there is no interrupt. */
static bool vrdma_inq_enable_cb(struct vrdma_inq *inq)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&inq->lock, flags);
	idle = virtqueue_is_broken(inq->vq) || virtqueue_enable_cb(inq->vq);
	spin_unlock_irqrestore(&inq->lock, flags);

	return idle;
}

/* Gives the core an event of the port or of the device, while the device is registered. */
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

/*
 * Has @handle called for events of @type, in any context, from the start of the queues on.
 * To be called before that start.  Each type has one handler, which is given @ib_type.
 */
void vrdma_event_register(struct vrdma_dev *dev, enum vrdma_event_type type,
			  vrdma_event_handler handle, enum ib_event_type ib_type)
{
	WARN_ON(dev->events[type].handle);
	dev->events[type].handle = handle;
	dev->events[type].ib_type = ib_type;
}

static void vrdma_handle_event(struct vrdma_dev *dev, const struct vrdma_event *event)
{
	u32 type = le32_to_cpu(event->type);

	if (type < ARRAY_SIZE(dev->events) && dev->events[type].handle)
		dev->events[type].handle(dev, le32_to_cpu(event->handle),
					 dev->events[type].ib_type);
	else
		dev_warn_ratelimited(&dev->vdev->dev, "unknown event %u\n", type);
}

void vrdma_event_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vrdma_dev_of_vq(vq);
	struct vrdma_event event;

	do {
		vrdma_inq_disable_cb(&dev->eventq);
		while (vrdma_inq_next(&dev->eventq, &event))
			vrdma_handle_event(dev, &event);
	} while (!vrdma_inq_enable_cb(&dev->eventq));
}

void vrdma_completion_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vrdma_dev_of_vq(vq);
	struct vrdma_inq *inq = &dev->completionqs[vq->index - VRDMA_VQ_COMPLETION];
	struct vrdma_completion_event event;

	do {
		vrdma_inq_disable_cb(inq);
		while (vrdma_inq_next(inq, &event))
			dev->completed(dev, le32_to_cpu(event.cq));
	} while (!vrdma_inq_enable_cb(inq));
}
