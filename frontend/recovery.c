// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: devices that are lost, and start again.
 *
 * Code that finds something wrong queues a look at the device (vrdma_look()): a change of the
 * virtio configuration, a command that waits too long, the event that the RNIC is gone.  The
 * look is taken here, above all that has to be told of a lost device.  It resets the device, which
 * ends what waits for it, and queues the restart.
 *
 * The restart unregisters the RDMA device, which ends its users as an adapter's removal does, and
 * begins another life of the virtio device.  A device that cannot start (docs/spec.md, "Status,
 * loss and return") says when it can by a change of its configuration.
 */
#include <rdma/ib_verbs.h>

#include "core/cmdq.h"
#include "core/dev.h"
#include "core/transport.h"
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "life.h"
#include "recovery.h"
#include "ucma/ucma.h"

/* A start that fails although the device is ready is tried again after 1, 2, 4 ... 64 seconds. */
#define VRDMA_MAX_DELAY_SHIFT	6

/*
 * Returns true when the device is of no use any more: unplugged, in need of a reset, or silent for
 * too long.
 */
static bool vrdma_lost(struct vrdma_dev *dev)
{
	if (vrdma_cmdq_is_stuck(dev))
		WRITE_ONCE(dev->stuck, true);
	if (READ_ONCE(dev->stuck))
		return true;
	return READ_ONCE(dev->rnic_gone) || virtqueue_is_broken(dev->cmdq.vq) ||
	       vrdma_has_failed(dev->vdev);
}

/* Ends the connections and work requests of a dead device, which no longer ends them itself. */
static void vrdma_end_all(struct vrdma_dev *dev)
{
	vrdma_iw_cm_fail(dev);
	vrdma_kernel_flush(dev);
}

static const char *vrdma_reason(struct vrdma_dev *dev)
{
	if (READ_ONCE(dev->rnic_gone))
		return "the host's RNIC is gone";
	if (READ_ONCE(dev->stuck))
		return "the host's vrdmad does not answer commands (see vrdma's command_timeout)";
	if (!vrdma_is_ready(dev->vdev))
		return "the host's vrdmad is gone";
	return "the device failed (the log of the host's vrdmad says why)";
}

/* With slot->lock. */
static void vrdma_queue_restart(struct vrdma_slot *slot, unsigned long delay)
{
	if (!slot->leaving)
		mod_delayed_work(system_long_wq, &slot->restart_work, delay);
}

/* With slot->lock.  Users learn of the loss when their RDMA device is unregistered. */
static void vrdma_give_up(struct vrdma_dev *dev)
{
	dev_err(&dev->vdev->dev, "%s: all that used %s ends, and it comes back by itself\n",
		vrdma_reason(dev), dev_name(&dev->ibdev.dev));
	dev->live = false;
	vrdma_end_all(dev);
	vrdma_ucma_fail(dev);
	vrdma_queue_restart(dev->slot, 0);
}

/* With slot->lock, for a device in a life that has begun. */
static void vrdma_look_at(struct vrdma_dev *dev)
{
	bool stopped;

	if (dev->waiting) {
		if (vrdma_is_ready(dev->vdev))
			vrdma_queue_restart(dev->slot, 0);
		return;
	}

	/* A device that waits for its start must keep its DRIVER_OK: it interrupts only with it. */
	if (!dev->live && !dev->starting)
		return;

	stopped = vrdma_alive(dev) && vrdma_lost(dev) && vrdma_cmdq_stop(dev);
	/* Without a live device, a start is under way, and fails now. */
	if ((xchg(&dev->untold, false) || stopped) && dev->live)
		vrdma_give_up(dev);
}

static void vrdma_look_work(struct work_struct *work)
{
	struct vrdma_slot *slot = container_of(work, struct vrdma_slot, look_work);

	mutex_lock(&slot->lock);
	if (slot->dev && slot->dev->begun)
		vrdma_look_at(slot->dev);
	mutex_unlock(&slot->lock);
}

/* A life that has begun, and was not started yet, goes on. */
static bool vrdma_is_fresh(struct vrdma_slot *slot)
{
	bool fresh;

	mutex_lock(&slot->lock);
	fresh = slot->dev && vrdma_alive(slot->dev) && !slot->dev->waiting && !slot->dev->live;
	mutex_unlock(&slot->lock);
	return fresh;
}

static void vrdma_slot_end(struct vrdma_slot *slot, bool comes_back)
{
	if (slot->dev && vrdma_life_end(slot, comes_back))
		slot->keeps_node = true;
}

/* Returns 0 with a device that is registered, or an errno. */
static int vrdma_slot_try(struct vrdma_slot *slot)
{
	bool starting;
	int err;

	if (!vrdma_is_fresh(slot)) {
		vrdma_slot_end(slot, true);
		err = vrdma_negotiate(slot->vdev);
		if (!err)
			err = vrdma_life_begin(slot);
		if (err)
			return err;
	}

	/* From here on, vrdma_slot_stop() finds the device, and ends waits for it. */
	mutex_lock(&slot->lock);
	starting = !slot->leaving && vrdma_is_ready(slot->vdev);
	slot->dev->starting = starting;
	mutex_unlock(&slot->lock);
	return starting ? vrdma_life_start(slot->dev) : -ENODEV;
}

static void vrdma_slot_started(struct vrdma_slot *slot)
{
	struct vrdma_dev *dev = slot->dev;

	if (slot->name[0])
		dev_info(&slot->vdev->dev, "%s is back\n", dev_name(&dev->ibdev.dev));
	if (slot->keeps_node)
		vrdma_ucma_returned();
	slot->keeps_node = false;
	slot->failures = 0;

	mutex_lock(&slot->lock);
	dev->live = true;
	/* A look before that has not told anybody. */
	if (!vrdma_alive(dev))
		vrdma_give_up(dev);
	mutex_unlock(&slot->lock);
}

static void vrdma_slot_failed(struct vrdma_slot *slot)
{
	unsigned int shift = min_t(unsigned int, slot->failures, VRDMA_MAX_DELAY_SHIFT);
	bool ready = vrdma_is_ready(slot->vdev);

	mutex_lock(&slot->lock);
	if (slot->dev)
		slot->dev->waiting = true;
	/*
	 * A device that is not ready will say when it is, unless it was reset: the look is for one
	 * that has said so.
	 */
	if (ready || !slot->dev || !vrdma_alive(slot->dev)) {
		slot->failures++;
		vrdma_queue_restart(slot, HZ << shift);
	} else {
		dev_notice_once(&slot->vdev->dev, "waiting for the host's vrdmad and its RNIC\n");
		/* A back-end without an RNIC looks for one at each reset. */
		if (!vrdma_has_failed(slot->vdev))
			vrdma_queue_restart(slot, HZ << VRDMA_MAX_DELAY_SHIFT);
		vrdma_look(slot->dev);
	}
	mutex_unlock(&slot->lock);
}

static void vrdma_restart_work(struct work_struct *work)
{
	struct vrdma_slot *slot = container_of(to_delayed_work(work), struct vrdma_slot,
					       restart_work);

	if (vrdma_slot_try(slot))
		vrdma_slot_failed(slot);
	else
		vrdma_slot_started(slot);
	complete_all(&slot->started);
}

void vrdma_slot_init(struct vrdma_slot *slot)
{
	mutex_init(&slot->lock);
	init_completion(&slot->started);
	INIT_WORK(&slot->look_work, vrdma_look_work);
	INIT_DELAYED_WORK(&slot->restart_work, vrdma_restart_work);
}

/* Starts a life that has begun.  @slot->started is completed when that was tried. */
void vrdma_slot_start(struct vrdma_slot *slot)
{
	mutex_lock(&slot->lock);
	vrdma_queue_restart(slot, 0);
	mutex_unlock(&slot->lock);
}

/* Lets the life go on that there is, or none.  Returns when no other begins any more. */
void vrdma_slot_stop(struct vrdma_slot *slot)
{
	mutex_lock(&slot->lock);
	slot->leaving = true;
	/* A start waits for answers, which may not come. */
	if (slot->dev && slot->dev->begun && !READ_ONCE(slot->dev->registered))
		vrdma_cmdq_stop(slot->dev);
	mutex_unlock(&slot->lock);

	cancel_delayed_work_sync(&slot->restart_work);
	cancel_work_sync(&slot->look_work);
}

/*
 * Gives the device up if it is lost, when its life ends and nobody looks any more.  The log says
 * nothing, since the administrator asked for that.
 */
static void vrdma_give_up_lost(struct vrdma_dev *dev)
{
	if (vrdma_alive(dev) && !vrdma_lost(dev))
		return;

	vrdma_cmdq_stop(dev);
	vrdma_end_all(dev);
}

/* Ends the life, if there is one. */
static void vrdma_slot_end_last(struct vrdma_slot *slot, bool comes_back)
{
	vrdma_slot_stop(slot);
	if (slot->dev)
		vrdma_give_up_lost(slot->dev);
	vrdma_slot_end(slot, comes_back);
	/* The queues' last callback may have queued it. */
	cancel_work_sync(&slot->look_work);
}

/* For a device that the driver leaves. */
void vrdma_slot_leave(struct vrdma_slot *slot)
{
	vrdma_slot_end_last(slot, false);
	if (slot->keeps_node)
		vrdma_ucma_returned();
}

/* For a device whose guest goes to sleep. */
void vrdma_slot_sleep(struct vrdma_slot *slot)
{
	vrdma_slot_end_last(slot, true);
}

/* For a device that has negotiated its features after its guest's sleep. */
void vrdma_slot_wake(struct vrdma_slot *slot)
{
	slot->leaving = false;
	/* The virtio core goes on with a device that has queues.  Without, this is tried again. */
	vrdma_life_begin(slot);
	vrdma_slot_start(slot);
}
