// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: what the virtio device has: configuration, shared memory, queues. */
#include <linux/slab.h>

#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"
#include "core/events.h"
#include "core/transport.h"

/* The queue must have room for a chain of a request, one chunk and a response. */
#define VRDMA_MIN_CONTROL_SIZE	4

/* Finds and reserves the shared memory region.  Says in the log what is wrong with it. */
int vrdma_find_shm(struct vrdma_dev *dev)
{
	struct virtio_device *vdev = dev->vdev;

	if (!virtio_get_shm_region(vdev, &dev->shm, VRDMA_SHM_ID)) {
		dev_err(&vdev->dev,
			"the shared memory region %d has no address: its BAR does not fit behind its PCI port; give the pcie-root-port pref64-reserve=2G, or twice vrdma-pci's shm-size\n",
			VRDMA_SHM_ID);
		return -ENODEV;
	}
	if (dev->shm.len < sizeof(struct vrdma_doorbell_area)) {
		dev_err(&vdev->dev,
			"the shared memory region has %llu bytes, its doorbells alone take %zu: give vrdma-pci a larger shm-size\n",
			dev->shm.len, sizeof(struct vrdma_doorbell_area));
		return -ENODEV;
	}
	/* The CPU does not map it cached where firmware has declared its MTRR uncached. */
	if (IS_ENABLED(CONFIG_X86) && !upper_32_bits(dev->shm.addr))
		dev_info(&vdev->dev,
			 "the shared memory region is below 4 GiB and may be uncached, which is slow on AMD hosts: shm-size=1G moves it up\n");
	dev->shm_requested = request_mem_region(dev->shm.addr, dev->shm.len, "vrdma");
	if (!dev->shm_requested) {
		dev_err(&vdev->dev,
			"the shared memory region at %#llx + %#llx is in use by another driver\n",
			dev->shm.addr, dev->shm.len);
		return -EBUSY;
	}
	return 0;
}

void vrdma_release_shm(struct vrdma_dev *dev)
{
	if (dev->shm_requested)
		release_mem_region(dev->shm.addr, dev->shm.len);
	dev->shm_requested = false;
}

/*
 * Resets the virtio device and negotiates the features that it had before (virtio 1.2, 3.1.1), as
 * the virtio core does before it calls the probe function.
 */
int vrdma_negotiate(struct virtio_device *vdev)
{
	int err;

	/* An unplugged function reads as ones, and a reset would wait for ever. */
	if (vdev->config->get_status(vdev) == 0xff)
		return -ENODEV;

	virtio_reset_device(vdev);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	err = vdev->config->finalize_features(vdev);
	if (err)
		return err;

	virtio_add_status(vdev, VIRTIO_CONFIG_S_FEATURES_OK);
	return vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -ENODEV;
}

/* Returns true when the device has given up, and must be reset. */
bool vrdma_has_failed(struct virtio_device *vdev)
{
	return vdev->config->get_status(vdev) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

/*
 * Returns true when a start would succeed, as far as the device knows.  A device that is older
 * than the field reads as ones.
 */
bool vrdma_is_ready(struct virtio_device *vdev)
{
	u32 status;

	virtio_cread_le(vdev, struct vrdma_config, status, &status);
	return status & VRDMA_STATUS_READY;
}

/* Reads and checks the configuration.  Says in the log what is wrong with it. */
int vrdma_read_config(struct vrdma_dev *dev)
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
	if (dev->shm.len < le64_to_cpu(config.shm_size)) {
		dev_err(&vdev->dev,
			"the shared memory region has %llu bytes, its configuration says %llu: restart the virtual machine with a larger shm-size\n",
			dev->shm.len, le64_to_cpu(config.shm_size));
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

/* To be called after the device was reset. */
void vrdma_free_queues(struct vrdma_dev *dev)
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

/* Makes the virtqueues, and fills those that the device writes. */
int vrdma_init_queues(struct vrdma_dev *dev)
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

/* Lets the device use the virtqueues. */
void vrdma_start_queues(struct vrdma_dev *dev)
{
	unsigned int i;

	virtio_device_ready(dev->vdev);
	virtqueue_kick(dev->eventq.vq);
	for (i = 0; i < dev->ibdev.num_comp_vectors; i++)
		virtqueue_kick(dev->completionqs[i].vq);
}
