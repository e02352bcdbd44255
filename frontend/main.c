// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: the virtio device, and the ib_device made of it. */
#include <linux/module.h>
#include <linux/slab.h>
#include <rdma/iw_cm.h>

#include "kernel_verbs/kernel_verbs.h"
#include "recovery.h"

/* A chain of a request, one chunk and a response must fit. */
#define VRDMA_MIN_CONTROL_SIZE	4

/*
 * No get_dma_mr, post_recv or poll_cq (but for vrdma_kernel_ops and vrdma_iw_cm_ops): without
 * them the core keeps kernel clients (ib_mad, rdma_cm, ipoib ...) away from the device, and
 * uverbs answers -EOPNOTSUPP to the methods.
 */
static const struct ib_device_ops vrdma_ops = {
	.owner = THIS_MODULE,

	.add_gid = vrdma_add_gid,
	.alloc_pd = vrdma_alloc_pd,
	.alloc_ucontext = vrdma_alloc_ucontext,
	.create_cq = vrdma_create_cq,
	.create_qp = vrdma_create_qp,
	.create_user_ah = vrdma_create_ah,
	.dealloc_pd = vrdma_dealloc_pd,
	.dealloc_ucontext = vrdma_dealloc_ucontext,
	.del_gid = vrdma_del_gid,
	.dereg_mr = vrdma_dereg_mr,
	.destroy_ah = vrdma_destroy_ah,
	.destroy_cq = vrdma_destroy_cq,
	.destroy_qp = vrdma_destroy_qp,
	.disassociate_ucontext = vrdma_disassociate_ucontext,
	.get_dev_fw_str = vrdma_get_dev_fw_str,
	.get_link_layer = vrdma_get_link_layer,
	.get_netdev = vrdma_get_netdev,
	.get_port_immutable = vrdma_get_port_immutable,
	.mmap = vrdma_mmap,
	.mmap_free = vrdma_mmap_free,
	.modify_qp = vrdma_modify_qp,
	.post_send = vrdma_post_send,
	.query_ah = vrdma_query_ah,
	.query_device = vrdma_query_device,
	.query_pkey = vrdma_query_pkey,
	.query_port = vrdma_query_port,
	.query_qp = vrdma_query_qp,
	.reg_user_mr = vrdma_reg_user_mr,
	.req_notify_cq = vrdma_req_notify_cq,

	INIT_RDMA_OBJ_SIZE(ib_ah, vrdma_ah, ibah),
	INIT_RDMA_OBJ_SIZE(ib_cq, vrdma_cq, ibcq),
	INIT_RDMA_OBJ_SIZE(ib_pd, vrdma_pd, ibpd),
	INIT_RDMA_OBJ_SIZE(ib_qp, vrdma_qp, ibqp),
	INIT_RDMA_OBJ_SIZE(ib_ucontext, vrdma_ucontext, ibuctx),
};

static const struct ib_device_ops vrdma_srq_ops = {
	.create_srq = vrdma_create_srq,
	.destroy_srq = vrdma_destroy_srq,
	.modify_srq = vrdma_modify_srq,
	.query_srq = vrdma_query_srq,

	INIT_RDMA_OBJ_SIZE(ib_srq, vrdma_srq, ibsrq),
};

static const struct ib_device_ops vrdma_mw_ops = {
	.alloc_mw = vrdma_alloc_mw,
	.dealloc_mw = vrdma_dealloc_mw,

	INIT_RDMA_OBJ_SIZE(ib_mw, vrdma_mw, ibmw),
};

static const struct ib_device_ops vrdma_rereg_mr_ops = {
	.rereg_user_mr = vrdma_rereg_user_mr,
};

static const struct ib_device_ops vrdma_resize_cq_ops = {
	.resize_cq = vrdma_resize_cq,
};

static const struct ib_device_ops vrdma_mcast_ops = {
	.attach_mcast = vrdma_attach_mcast,
	.detach_mcast = vrdma_detach_mcast,
};

/* The verbs that not every RNIC has. */
static const struct {
	unsigned int feature;
	const struct ib_device_ops *ops;
} vrdma_optional_ops[] = {
	{ VRDMA_F_SRQ, &vrdma_srq_ops },
	{ VRDMA_F_MW, &vrdma_mw_ops },
	{ VRDMA_F_REREG_MR, &vrdma_rereg_mr_ops },
	{ VRDMA_F_RESIZE_CQ, &vrdma_resize_cq_ops },
	{ VRDMA_F_MCAST, &vrdma_mcast_ops },
};

static void vrdma_config_changed(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = vdev->priv;

	vrdma_look(dev);
}

static int vrdma_read_config(struct vrdma_dev *dev)
{
	struct virtio_device *vdev = dev->vdev;
	struct vrdma_config config;

	virtio_cread_bytes(vdev, 0, &config, sizeof(config));

	if (le32_to_cpu(config.protocol_version) != VRDMA_PROTOCOL_VERSION) {
		dev_err(&vdev->dev,
			"the device speaks version %u of the protocol, this driver version %u: install the driver that belongs to the host's vrdmad\n",
			le32_to_cpu(config.protocol_version), VRDMA_PROTOCOL_VERSION);
		return -EPROTO;
	}
	if (!vrdma_config_valid(&config)) {
		dev_err(&vdev->dev, "invalid configuration: %u ports, %u vectors, %u QPs, %u CQs\n",
			le32_to_cpu(config.port_count), le16_to_cpu(config.num_comp_vectors),
			le32_to_cpu(config.max_qp), le32_to_cpu(config.max_cq));
		return -EPROTO;
	}
	if (dev->window.len < le64_to_cpu(config.shm_size)) {
		dev_err(&vdev->dev,
			"the window has %llu bytes, its configuration says %llu: restart the virtual machine with a larger shm-size\n",
			dev->window.len, le64_to_cpu(config.shm_size));
		return -ENODEV;
	}

	dev->max_qp = le32_to_cpu(config.max_qp);
	dev->max_cq = le32_to_cpu(config.max_cq);
	dev->max_mr_runs = le32_to_cpu(config.max_mr_runs);
	dev->max_udata = le32_to_cpu(config.max_udata);
	memcpy(dev->mac, config.mac, sizeof(dev->mac));

	dev->ibdev.ops.driver_id = le32_to_cpu(config.driver_id);
	dev->ibdev.ops.uverbs_abi_ver = le32_to_cpu(config.uverbs_abi_version);
	dev->ibdev.node_guid = config.node_guid;
	dev->ibdev.num_comp_vectors = le16_to_cpu(config.num_comp_vectors);
	return 0;
}

/* A method that was set stays: the most special come first, and hand on to the others. */
static void vrdma_set_ops(struct vrdma_dev *dev)
{
	unsigned int i;

	if (vrdma_has_kernel_verbs(dev)) {
		ib_set_device_ops(&dev->ibdev, &vrdma_kernel_ops);
		if (virtio_has_feature(dev->vdev, VRDMA_F_SRQ))
			ib_set_device_ops(&dev->ibdev, &vrdma_kernel_srq_ops);
	}
	if (vrdma_has_iw_cm(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iw_cm_ops);
	if (vrdma_is_iwarp(dev))
		ib_set_device_ops(&dev->ibdev, &vrdma_iwarp_ops);
	for (i = 0; i < ARRAY_SIZE(vrdma_optional_ops); i++)
		if (virtio_has_feature(dev->vdev, vrdma_optional_ops[i].feature))
			ib_set_device_ops(&dev->ibdev, vrdma_optional_ops[i].ops);
	ib_set_device_ops(&dev->ibdev, &vrdma_ops);
}

static int vrdma_find_window(struct vrdma_dev *dev)
{
	struct virtio_device *vdev = dev->vdev;

	if (!virtio_get_shm_region(vdev, &dev->window, VRDMA_SHM_ID)) {
		dev_err(&vdev->dev,
			"the device has no shared memory region %d for the window: give vrdma-pci a shm-size\n",
			VRDMA_SHM_ID);
		return -ENODEV;
	}
	if (dev->window.len < sizeof(struct vrdma_doorbell_area)) {
		dev_err(&vdev->dev,
			"the window has %llu bytes, its doorbells alone take %zu: give vrdma-pci a larger shm-size\n",
			dev->window.len, sizeof(struct vrdma_doorbell_area));
		return -ENODEV;
	}
	/* Where firmware declares MTRRs uncached, mapping it cached is not granted. */
	if (IS_ENABLED(CONFIG_X86) && !upper_32_bits(dev->window.addr))
		dev_info(&vdev->dev,
			 "the window is below 4 GiB and may be uncached, which is slow on AMD hosts: shm-size=1G moves it up\n");
	if (!devm_request_mem_region(&vdev->dev, dev->window.addr, dev->window.len, "vrdma")) {
		dev_err(&vdev->dev, "the window at %#llx + %#llx is in use by another driver\n",
			dev->window.addr, dev->window.len);
		return -EBUSY;
	}
	return 0;
}

static int vrdma_check_features(struct virtio_device *vdev)
{
	if (virtio_has_feature(vdev, VIRTIO_F_VERSION_1))
		return 0;

	dev_err(&vdev->dev, "the device is not a virtio 1.0 device: remove disable-modern\n");
	return -ENODEV;
}

static int vrdma_find_queues(struct vrdma_dev *dev, struct virtqueue **vqs)
{
	unsigned int vectors = dev->ibdev.num_comp_vectors;
	struct virtqueue_info *info;
	unsigned int i;
	int err;

	info = kcalloc(VRDMA_VQ_COMPLETION + vectors, sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;

	info[VRDMA_VQ_CONTROL].name = "control";
	info[VRDMA_VQ_CONTROL].callback = vrdma_cmdq_callback;
	info[VRDMA_VQ_EVENT].name = "event";
	info[VRDMA_VQ_EVENT].callback = vrdma_event_callback;
	info[VRDMA_VQ_DOORBELL].name = "doorbell";
	for (i = 0; i < vectors; i++) {
		info[VRDMA_VQ_COMPLETION + i].name = dev->completionqs[i].name;
		info[VRDMA_VQ_COMPLETION + i].callback = vrdma_completion_callback;
	}

	err = vrdma_find_vqs(dev->vdev, VRDMA_VQ_COMPLETION + vectors, vqs, info);
	kfree(info);
	return err;
}

static void vrdma_free_queues(struct vrdma_dev *dev)
{
	unsigned int i;

	dev->vdev->config->del_vqs(dev->vdev);
	for (i = 0; i < dev->ibdev.num_comp_vectors; i++)
		vrdma_inq_free(&dev->completionqs[i]);
	vrdma_inq_free(&dev->eventq);
	kfree(dev->completionqs);
}

static int vrdma_fill_queues(struct vrdma_dev *dev, struct virtqueue **vqs)
{
	unsigned int i;
	int err;

	err = vrdma_inq_init(&dev->eventq, vqs[VRDMA_VQ_EVENT], sizeof(struct vrdma_event));
	if (err)
		return err;

	for (i = 0; i < dev->ibdev.num_comp_vectors; i++) {
		err = vrdma_inq_init(&dev->completionqs[i], vqs[VRDMA_VQ_COMPLETION + i],
				     sizeof(struct vrdma_completion_event));
		if (err)
			return err;
	}
	return 0;
}

static int vrdma_init_queues(struct vrdma_dev *dev)
{
	unsigned int vectors = dev->ibdev.num_comp_vectors;
	struct virtqueue **vqs;
	unsigned int i;
	int err = -ENOMEM;

	vqs = kcalloc(VRDMA_VQ_COMPLETION + vectors, sizeof(*vqs), GFP_KERNEL);
	dev->completionqs = kcalloc(vectors, sizeof(*dev->completionqs), GFP_KERNEL);
	if (!vqs || !dev->completionqs)
		goto err_free;
	for (i = 0; i < vectors; i++)
		snprintf(dev->completionqs[i].name, sizeof(dev->completionqs[i].name),
			 "completion.%u", i);

	err = vrdma_find_queues(dev, vqs);
	if (err) {
		dev_err(&dev->vdev->dev, "the device does not have its %u queues: %d\n",
			VRDMA_VQ_COMPLETION + vectors, err);
		goto err_free;
	}
	dev->cmdq.vq = vqs[VRDMA_VQ_CONTROL];
	dev->doorbellq = vqs[VRDMA_VQ_DOORBELL];

	err = -EINVAL;
	if (virtqueue_get_vring_size(dev->cmdq.vq) < VRDMA_MIN_CONTROL_SIZE) {
		dev_err(&dev->vdev->dev, "the control queue has %u entries and needs %u\n",
			virtqueue_get_vring_size(dev->cmdq.vq), VRDMA_MIN_CONTROL_SIZE);
		goto err_queues;
	}
	err = vrdma_fill_queues(dev, vqs);
	if (err)
		goto err_queues;

	kfree(vqs);
	return 0;

err_queues:
	vrdma_free_queues(dev);
	kfree(vqs);
	return err;

err_free:
	kfree(dev->completionqs);
	kfree(vqs);
	return err;
}

static void vrdma_start_queues(struct vrdma_dev *dev)
{
	unsigned int i;

	virtio_device_ready(dev->vdev);
	virtqueue_kick(dev->eventq.vq);
	for (i = 0; i < dev->ibdev.num_comp_vectors; i++)
		virtqueue_kick(dev->completionqs[i].vq);
}

/* After this, nothing uses the queues: the last callback may have queued the work. */
static void vrdma_stop_queues(struct vrdma_dev *dev)
{
	vrdma_cmdq_stop(dev);
	cancel_work_sync(&dev->look_work);
	vrdma_kernel_stop(dev);
	vrdma_iw_cm_stop(dev);
}

static struct vrdma_dev *vrdma_alloc_dev(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = ib_alloc_device(vrdma_dev, ibdev);

	if (!dev)
		return NULL;

	dev->vdev = vdev;
	vdev->priv = dev;
	vrdma_cmdq_init(dev);
	vrdma_iw_cm_init(dev);
	vrdma_kernel_init(dev);
	vrdma_iw_addresses_init(dev);
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

	err = vrdma_find_window(dev);
	if (err)
		goto err_dealloc;
	err = vrdma_read_config(dev);
	if (err)
		goto err_dealloc;
	err = vrdma_ucm_init(dev);
	if (err)
		goto err_dealloc;
	err = vrdma_netdev_pair(dev);
	if (err)
		goto err_dealloc;
	err = vrdma_init_queues(dev);
	if (err)
		goto err_netdev;

	vrdma_start_queues(dev);

	err = vrdma_udata_query(dev);
	if (err)
		goto err_stop;
	err = vrdma_doorbells_map(dev);
	if (err)
		goto err_stop;
	if (vrdma_has_iw_cm(dev)) {
		err = vrdma_iw_addresses_start(dev);
		if (err)
			goto err_doorbells;
	}
	err = vrdma_kernel_start(dev);
	if (err)
		goto err_addresses;
	err = vrdma_register(dev);
	if (err)
		goto err_kernel;
	vrdma_ucm_start(dev);

	return 0;

err_kernel:
	vrdma_kernel_release(dev);
err_addresses:
	if (vrdma_has_iw_cm(dev))
		vrdma_iw_addresses_stop(dev);
err_doorbells:
	vrdma_doorbells_unmap(dev);
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
	vrdma_ucm_free(dev);
	vdev->priv = NULL;
	ib_dealloc_device(&dev->ibdev);
	return err;
}

/*
 * While the device answers, objects are destroyed one by one and then it is
 * reset; one that is gone is given up first, and they are destroyed locally.
 */
static void vrdma_remove(struct virtio_device *vdev)
{
	struct vrdma_dev *dev = vdev->priv;

	WRITE_ONCE(dev->registered, false);
	virtio_synchronize_cbs(vdev);
	cancel_work_sync(&dev->look_work);
	vrdma_give_up_lost(dev);

	vrdma_ucm_stop(dev);
	ib_unregister_device(&dev->ibdev);
	vrdma_kernel_release(dev);
	if (vrdma_has_iw_cm(dev))
		vrdma_iw_addresses_stop(dev);
	vrdma_netdev_unpair(dev);
	vrdma_stop_queues(dev);
	vrdma_doorbells_unmap(dev);
	vrdma_free_queues(dev);
	vrdma_ucm_free(dev);
	vdev->priv = NULL;
	ib_dealloc_device(&dev->ibdev);
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
	VRDMA_F_SRQ,
	VRDMA_F_CQ_DOORBELL,
	VRDMA_F_MW,
	VRDMA_F_REREG_MR,
	VRDMA_F_RESIZE_CQ,
	VRDMA_F_MCAST,
	VRDMA_F_IWARP,
	VRDMA_F_IW_CM,
	VRDMA_F_UCMA,
	VRDMA_F_KERNEL_VERBS,
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

	err = vrdma_ucm_module_init();
	if (err)
		return err;

	err = register_virtio_driver(&vrdma_driver);
	if (err)
		vrdma_ucm_module_exit();
	return err;
}

static void __exit vrdma_exit(void)
{
	unregister_virtio_driver(&vrdma_driver);
	vrdma_ucm_module_exit();
}

module_init(vrdma_init);
module_exit(vrdma_exit);

MODULE_DESCRIPTION("RDMA for virtual machines over a virtio device (vrdma)");
MODULE_LICENSE("GPL");
