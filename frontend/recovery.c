// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: devices that are lost.
 *
 * Code that finds something wrong queues a look at the device (vrdma_look()): a change of the
 * virtio configuration, a command that waits too long, the event that the RNIC is gone.  The
 * look is taken here, above all that has to be told of a lost device.
 */
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/events.h"
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "recovery.h"
#include "ucma/ucma.h"

/* Returns true when the device is of no use any more: unplugged, or in need of a reset. */
static bool vrdma_lost(struct vrdma_dev *dev)
{
	struct virtio_device *vdev = dev->vdev;

	return READ_ONCE(dev->rnic_gone) || virtqueue_is_broken(dev->cmdq.vq) ||
	       vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* Ends the connections and work requests of a dead device, which no longer ends them itself. */
static void vrdma_end_all(struct vrdma_dev *dev)
{
	vrdma_iw_cm_fail(dev);
	vrdma_kernel_flush(dev);
}

/* Says that the device is given up, so that the administrator reloads the driver. */
static void vrdma_tell(struct vrdma_dev *dev)
{
	dev_err(&dev->vdev->dev, "%s: all verbs fail now; reload the driver to start again\n",
		READ_ONCE(dev->rnic_gone) ? "the host's RNIC is gone" :
					    "the device failed (is the host's vrdmad alive?)");
	vrdma_end_all(dev);
	vrdma_ucma_fail(dev);
	vrdma_dispatch(dev, IB_EVENT_DEVICE_FATAL);
}

static void vrdma_look_work(struct work_struct *work)
{
	struct vrdma_dev *dev = container_of(work, struct vrdma_dev, look_work);

	if (vrdma_alive(dev) && vrdma_lost(dev) && vrdma_cmdq_stop(dev))
		vrdma_tell(dev);
	else if (xchg(&dev->untold, false))
		vrdma_tell(dev);
}

/* The device itself goes on, but all that it made is gone, so it is given up. */
static void vrdma_fatal_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	WRITE_ONCE(dev->rnic_gone, true);
	vrdma_look(dev);
}

void vrdma_recovery_init(struct vrdma_dev *dev)
{
	vrdma_event_register(dev, VRDMA_EVENT_DEVICE_FATAL, vrdma_fatal_event,
			     IB_EVENT_DEVICE_FATAL);
	INIT_WORK(&dev->look_work, vrdma_look_work);
}

/*
 * Gives the device up if it is lost, when the driver leaves it and has cancelled the look.  The
 * log says nothing, since the administrator asked for that.
 */
void vrdma_give_up_lost(struct vrdma_dev *dev)
{
	if (vrdma_alive(dev) && !vrdma_lost(dev))
		return;

	vrdma_cmdq_stop(dev);
	vrdma_end_all(dev);
}
