// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the virtio driver, whose device is an ib_device while all is well. */
#include <linux/module.h>

#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"
#include "core/transport.h"
#include "kernel_verbs/kernel_verbs.h"
#include "life.h"
#include "recovery.h"
#include "ucma/ucma.h"

/* How long loading the driver waits for a device that may not be there. */
#define VRDMA_START_PATIENCE	(5 * HZ)

static void vrdma_config_changed(struct virtio_device *vdev)
{
	struct vrdma_slot *slot = vdev->priv;

	queue_work(system_long_wq, &slot->look_work);
}

static int vrdma_check_features(struct virtio_device *vdev)
{
	if (virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return 0;

	dev_err(&vdev->dev, "the device is not a virtio 1.0 device: remove disable-modern\n");
	return -ENODEV;
}

static int vrdma_probe(struct virtio_device *vdev)
{
	struct vrdma_slot *slot;
	int err;

	BUILD_BUG_ON(!IS_ENABLED(CONFIG_INFINIBAND_USER_MEM));
	BUILD_BUG_ON(!IS_ENABLED(CONFIG_INFINIBAND_VIRT_DMA));

	err = vrdma_check_features(vdev);
	if (err)
		return err;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return -ENOMEM;
	slot->vdev = vdev;
	vrdma_slot_init(slot);
	vdev->priv = slot;

	err = vrdma_life_begin(slot);
	if (err) {
		/* The next attempt, after -EPROBE_DEFER, negotiates anew. */
		virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
		vrdma_slot_leave(slot);
		vdev->priv = NULL;
		kfree(slot);
		return err;
	}

	/*
	 * The start goes on without a device, which may answer only when the host's vrdmad is
	 * back.  Whoever loads the driver expects the RDMA device, if there can be one.
	 */
	vrdma_slot_start(slot);
	wait_for_completion_timeout(&slot->started, VRDMA_START_PATIENCE);
	return 0;
}

static void vrdma_remove(struct virtio_device *vdev)
{
	struct vrdma_slot *slot = vdev->priv;

	vrdma_slot_leave(slot);
	vdev->priv = NULL;
	kfree(slot);
}

/* The next kernel, if there is one, must not find a device that still writes. */
static void vrdma_shutdown(struct device *device)
{
	struct vrdma_slot *slot = dev_to_virtio(device)->priv;
	struct vrdma_dev *dev;

	if (!slot)
		return;

	vrdma_slot_stop(slot);
	dev = slot->dev;
	if (!dev)
		return;

	WRITE_ONCE(dev->registered, false);
	vrdma_cmdq_stop(dev);
	vrdma_kernel_flush(dev);
}

#ifdef CONFIG_PM
/*
 * The RNIC's queues and regions cannot be saved.  So the guest sleeps without its RDMA device, as
 * if the device had failed, and gets it back when it wakes.
 */
static int vrdma_freeze(struct virtio_device *vdev)
{
	vrdma_slot_sleep(vdev->priv);
	return 0;
}

/* The virtio core has reset the device and negotiated its features. */
static int vrdma_restore(struct virtio_device *vdev)
{
	vrdma_slot_wake(vdev->priv);
	return 0;
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
