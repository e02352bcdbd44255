// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the virtio device, and the ib_device made of it. */
#include <linux/module.h>
#include <rdma/iw_cm.h>

#include "core/cmdq.h"
#include "core/dev.h"
#include "core/doorbells.h"
#include "core/netdev.h"
#include "core/transport.h"
#include "core/user_memory.h"
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "ops.h"
#include "recovery.h"
#include "ucma/ucma.h"
#include "verbs/cq.h"
#include "verbs/device.h"
#include "verbs/qp.h"
#include "verbs/srq.h"

static void vrdma_config_changed(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = vdev->priv;

	vrdma_look(dev);
}

/* Nothing uses the queues after this.  Their last callback may have queued the work. */
static void vrdma_stop_queues(struct vrdma_dev *dev)
{
	vrdma_cmdq_stop(dev);
	cancel_work_sync(&dev->look_work);
	vrdma_kernel_stop(dev);
	vrdma_iw_cm_stop(dev);
}

static int vrdma_check_features(struct virtio_device *vdev)
{
	if (virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return 0;

	dev_err(&vdev->dev, "the device is not a virtio 1.0 device: remove disable-modern\n");
	return -ENODEV;
}

static struct vrdma_dev *vrdma_alloc_dev(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = ib_alloc_device(vrdma_dev, ibdev);

	if (!dev)
		return NULL;

	dev->vdev = vdev;
	vdev->priv = dev;
	vrdma_cmdq_init(dev);
	vrdma_kernel_init(dev);
	vrdma_recovery_init(dev);
	vrdma_port_init(dev);
	vrdma_cq_init(dev);
	vrdma_srq_init(dev);
	vrdma_qp_init(dev);

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
	int err;

	/*
	 * No DMA device: the RNIC reaches guest memory by guest-physical
	 * addresses, whatever the virtio device's own DMA mappings are.
	 */
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

/* Asks the device what it has, and registers it, by commands: the queues are started. */
static int vrdma_start(struct vrdma_dev *dev)
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
	err = vrdma_register(dev);
	if (err)
		goto err_kernel;
	vrdma_ucma_start(dev);
	return 0;

err_kernel:
	vrdma_kernel_release(dev);
err_addresses:
	vrdma_iw_addresses_stop(dev);
err_doorbells:
	vrdma_doorbells_unmap(dev);
	return err;
}

/* To be called when nothing uses the device any more. */
static void vrdma_free_dev(struct vrdma_dev *dev)
{
	vrdma_ucma_free(dev);
	vrdma_iw_cm_free(dev);
	dev->vdev->priv = NULL;
	ib_dealloc_device(&dev->ibdev);
}

static int vrdma_probe(struct virtio_device *vdev)
{
	struct vrdma_dev *dev;
	int err;

	BUILD_BUG_ON(!IS_ENABLED(CONFIG_INFINIBAND_USER_MEM));
	BUILD_BUG_ON(!IS_ENABLED(CONFIG_INFINIBAND_VIRT_DMA));

	err = vrdma_check_features(vdev);
	if (err)
		return err;

	dev = vrdma_alloc_dev(vdev);
	if (!dev)
		return -ENOMEM;

	err = vrdma_prepare(dev);
	if (err)
		goto err_dealloc;
	err = vrdma_init_queues(dev);
	if (err)
		goto err_netdev;

	vrdma_start_queues(dev);
	err = vrdma_start(dev);
	if (err)
		goto err_stop;
	return 0;

err_stop:
	vrdma_stop_queues(dev);
	vrdma_free_queues(dev);
err_netdev:
	vrdma_netdev_unpair(dev);
err_dealloc:
	/* The next attempt, after -EPROBE_DEFER, negotiates anew. */
	virtio_reset_device(vdev);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	cancel_work_sync(&dev->look_work);
	vrdma_free_dev(dev);
	return err;
}

/*
 * While the device answers, its objects are destroyed one by one, and then it is reset.  A
 * device that is lost is given up first, and its objects are destroyed here only.
 */
static void vrdma_remove(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = vdev->priv;

	WRITE_ONCE(dev->registered, false);
	virtio_synchronize_cbs(vdev);
	cancel_work_sync(&dev->look_work);
	vrdma_give_up_lost(dev);

	vrdma_ucma_stop(dev);
	ib_unregister_device(&dev->ibdev);
	vrdma_kernel_release(dev);
	vrdma_iw_addresses_stop(dev);
	vrdma_netdev_unpair(dev);
	vrdma_stop_queues(dev);
	vrdma_doorbells_unmap(dev);
	vrdma_free_queues(dev);
	vrdma_free_dev(dev);
}

/* The next kernel, if there is one, must not find a device that still writes. */
static void vrdma_shutdown(struct device *device)
{
	struct vrdma_dev *dev = dev_to_virtio(device)->priv;

	if (!dev)
		return;

	WRITE_ONCE(dev->registered, false);
	vrdma_cmdq_stop(dev);
	vrdma_kernel_flush(dev);
}

#ifdef CONFIG_PM
/* The RNIC's queues and regions cannot be saved and made again. */
static int vrdma_freeze(struct virtio_device *vdev)
{
	dev_err(&vdev->dev, "suspend is not supported: unload vrdma first\n");
	return -EOPNOTSUPP;
}

static int vrdma_restore(struct virtio_device *vdev)
{
	return -EOPNOTSUPP;
}
#endif

static const unsigned int vrdma_features[] = {
#define VRDMA_FEATURE(name, bit, attribute)	name,
	VRDMA_FEATURES(VRDMA_FEATURE)
#undef VRDMA_FEATURE
};

static const struct virtio_device_id vrdma_ids[] = {
	{ VRDMA_VIRTIO_ID, VIRTIO_DEV_ANY_ID },
	{ 0 },
};
MODULE_DEVICE_TABLE(virtio, vrdma_ids);

static struct virtio_driver vrdma_driver = {
	.driver.name = KBUILD_MODNAME,
	.driver.owner = THIS_MODULE,
	.driver.shutdown = vrdma_shutdown,
	.feature_table = vrdma_features,
	.feature_table_size = ARRAY_SIZE(vrdma_features),
	.id_table = vrdma_ids,
	.probe = vrdma_probe,
	.remove = vrdma_remove,
	.config_changed = vrdma_config_changed,
#ifdef CONFIG_PM
	.freeze = vrdma_freeze,
	.restore = vrdma_restore,
#endif
};

static int __init vrdma_init(void)
{
	int err;

	err = vrdma_ucma_module_init();
	if (err)
		return err;

	err = register_virtio_driver(&vrdma_driver);
	if (err)
		vrdma_ucma_module_exit();
	return err;
}

static void __exit vrdma_exit(void)
{
	unregister_virtio_driver(&vrdma_driver);
	vrdma_ucma_module_exit();
}

module_init(vrdma_init);
module_exit(vrdma_exit);

MODULE_DESCRIPTION("RDMA for virtual machines over a virtio device (vrdma)");
MODULE_LICENSE("GPL");
