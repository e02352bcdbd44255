// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: one life of a device, from its negotiated features to its reset.  A virtio
 * device has several when it fails and starts again (recovery.c).
 */
#include <rdma/iw_cm.h>

#include "core/abandoned.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/doorbells.h"
#include "core/events.h"
#include "core/netdev.h"
#include "core/transport.h"
#include "core/user_memory.h"
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "life.h"
#include "ops.h"
#include "ucma/ucma.h"
#include "verbs/cq.h"
#include "verbs/device.h"
#include "verbs/gid.h"
#include "verbs/qp.h"
#include "verbs/srq.h"

/* Nothing uses the queues after this. */
static void vrdma_stop_queues(struct vrdma_dev *dev)
{
	vrdma_cmdq_stop(dev);
	vrdma_abandoned_stop(dev);
	vrdma_kernel_stop(dev);
	vrdma_iw_cm_stop(dev);
}

/* The device itself goes on, but all that it made is gone, so it is given up. */
static void vrdma_fatal_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	WRITE_ONCE(dev->rnic_gone, true);
	vrdma_look(dev);
}

static struct vrdma_dev *vrdma_alloc_dev(struct vrdma_slot *slot)
{
	struct vrdma_dev *dev = ib_alloc_device(vrdma_dev, ibdev);
	struct virtio_device *vdev = slot->vdev;

	if (!dev)
		return NULL;

	dev->slot = slot;
	dev->vdev = vdev;
	vrdma_cmdq_init(dev);
	vrdma_kernel_init(dev);
	vrdma_event_register(dev, VRDMA_EVENT_DEVICE_FATAL, vrdma_fatal_event,
			     IB_EVENT_DEVICE_FATAL);
	vrdma_port_init(dev);
	vrdma_cq_init(dev);
	vrdma_srq_init(dev);
	vrdma_qp_init(dev);
	vrdma_gid_init(dev);

	dev->ibdev.node_type = vrdma_is_iwarp(dev) ? RDMA_NODE_RNIC : RDMA_NODE_IB_CA;
	dev->ibdev.phys_port_cnt = 1;
	dev->ibdev.dev.parent = &vdev->dev;
	strscpy(dev->ibdev.node_desc, "vrdma", sizeof(dev->ibdev.node_desc));
	dev->ibdev.uverbs_cmd_mask |= BIT_ULL(IB_USER_VERBS_CMD_POST_SEND) |
				      BIT_ULL(IB_USER_VERBS_CMD_REQ_NOTIFY_CQ);
	vrdma_set_ops(dev);
	/* TCP ports are the guest's own choice. */
	dev->ibdev.iw_driver_flags = IW_F_NO_PORT_MAP;
	return dev;
}

static int vrdma_register(struct vrdma_dev *dev)
{
	const char *name = dev->slot->name;
	int err = -ENFILE;

	/*
	 * No DMA device: the RNIC reaches guest memory by guest-physical
	 * addresses, whatever the virtio device's own DMA mappings are.
	 */
	/* Root renames a device to anything; the core takes a name with % for a format. */
	if (name[0] && !strchr(name, '%'))
		err = ib_register_device(&dev->ibdev, name, NULL);
	/* Another device may have taken the name. */
	if (err == -ENFILE)
		err = ib_register_device(&dev->ibdev, "vrdma%d", NULL);
	if (err) {
		dev_err(&dev->vdev->dev, "the RDMA device cannot be registered: %d\n", err);
		return err;
	}

	WRITE_ONCE(dev->registered, true);
	vrdma_netdev_refresh(dev);
	return 0;
}

/* Makes what the queues use, and pairs the netdev. */
static int vrdma_prepare(struct vrdma_dev *dev)
{
	int err;

	err = vrdma_find_shm(dev);
	if (err)
		return err;
	err = vrdma_read_config(dev);
	if (err)
		return err;
	err = vrdma_iw_cm_init(dev);
	if (err)
		return err;
	err = vrdma_ucma_init(dev);
	if (err)
		return err;
	return vrdma_netdev_pair(dev);
}

/*
 * Asks the device what it has, and registers it, by commands.  They wait for answers: a look at
 * the device (vrdma_look()) and the end of the driver stop the device, which ends the waits.  On
 * an error, vrdma_life_end() is still to be called.
 */
int vrdma_life_start(struct vrdma_dev *dev)
{
	int err;

	err = vrdma_udata_query(dev);
	if (err)
		return err;
	err = vrdma_doorbells_map(dev);
	if (err)
		return err;
	err = vrdma_iw_addresses_start(dev);
	if (err)
		goto err_doorbells;
	err = vrdma_kernel_start(dev);
	if (err)
		goto err_addresses;
	err = vrdma_gid_start(dev);
	if (err)
		goto err_kernel;
	err = vrdma_register(dev);
	if (err)
		goto err_gids;
	dev->started = true;
	vrdma_ucma_start(dev);
	return 0;

err_gids:
	vrdma_gid_stop(dev);
err_kernel:
	vrdma_kernel_release(dev);
err_addresses:
	vrdma_iw_addresses_stop(dev);
err_doorbells:
	vrdma_doorbells_unmap(dev);
	return err;
}

static void vrdma_life_set(struct vrdma_slot *slot, struct vrdma_dev *dev)
{
	mutex_lock(&slot->lock);
	slot->dev = dev;
	mutex_unlock(&slot->lock);
}

/* To be called when nothing uses the device any more. */
static void vrdma_free_dev(struct vrdma_dev *dev)
{
	/* A look that runs has the lock; one that comes later finds no device. */
	vrdma_life_set(dev->slot, NULL);
	vrdma_ucma_free(dev);
	vrdma_iw_cm_free(dev);
	vrdma_release_shm(dev);
	ib_dealloc_device(&dev->ibdev);
}

/*
 * Begins a life of the virtio device, which has negotiated its features: makes @slot->dev and its
 * queues, and sets DRIVER_OK.  Says in the log what is wrong.  Returns an errno, with the device
 * reset and @slot->dev NULL; -EPROBE_DEFER while there is no netdev.
 */
int vrdma_life_begin(struct vrdma_slot *slot)
{
	struct vrdma_dev *dev = vrdma_alloc_dev(slot);
	int err;

	if (!dev)
		return -ENOMEM;

	vrdma_life_set(slot, dev);
	err = vrdma_prepare(dev);
	if (err)
		goto err_free;
	err = vrdma_init_queues(dev);
	if (err)
		goto err_netdev;

	vrdma_start_queues(dev);
	mutex_lock(&slot->lock);
	dev->begun = true;
	mutex_unlock(&slot->lock);
	return 0;

err_netdev:
	vrdma_netdev_unpair(dev);
err_free:
	virtio_reset_device(slot->vdev);
	vrdma_free_dev(dev);
	return err;
}

/*
 * Ends a life.  While the device answers, its objects are destroyed one by one, and then it is
 * reset.  A device that is lost is given up first, and its objects are destroyed here only.  With
 * @comes_back another life follows; vrdma_ucma_returned() is to be called then if this returns
 * true.
 */
bool vrdma_life_end(struct vrdma_slot *slot, bool comes_back)
{
	struct vrdma_dev *dev = slot->dev;
	bool keeps_node = comes_back && dev->started && dev->ucma;

	WRITE_ONCE(dev->registered, false);
	if (dev->started) {
		strscpy(slot->name, dev_name(&dev->ibdev.dev), sizeof(slot->name));
		vrdma_ucma_stop(dev, comes_back);
		ib_unregister_device(&dev->ibdev);
		vrdma_gid_stop(dev);
		vrdma_kernel_release(dev);
		vrdma_iw_addresses_stop(dev);
	}
	vrdma_netdev_unpair(dev);
	vrdma_stop_queues(dev);
	if (dev->started)
		vrdma_doorbells_unmap(dev);
	vrdma_free_queues(dev);
	vrdma_free_dev(dev);
	return keeps_node;
}
