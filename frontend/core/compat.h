/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what differs between the kernels that it is built for. */
#ifndef VRDMA_CORE_COMPAT_H
#define VRDMA_CORE_COMPAT_H

#include <linux/slab.h>
#include <linux/version.h>
#include <linux/virtio_config.h>
#include <rdma/uverbs_ioctl.h>

/* ops.create_cq has the user's data, or all of the attributes. */
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
#define vrdma_cq_attrs	uverbs_attr_bundle

static inline struct ib_udata *vrdma_cq_udata(struct uverbs_attr_bundle *attrs)
{
	return attrs ? &attrs->driver_udata : NULL;
}
#else
#define vrdma_cq_attrs	ib_udata

static inline struct ib_udata *vrdma_cq_udata(struct ib_udata *udata)
{
	return udata;
}
#endif

#if KERNEL_VERSION(6, 11, 0) > LINUX_VERSION_CODE
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};
#endif

static inline int vrdma_find_vqs(struct virtio_device *vdev, unsigned int count,
				 struct virtqueue **vqs, struct virtqueue_info *info)
{
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
	return virtio_find_vqs(vdev, count, vqs, info, NULL);
#else
	vq_callback_t **callbacks;
	const char **names;
	unsigned int i;
	int err = -ENOMEM;

	names = kcalloc(count, sizeof(*names), GFP_KERNEL);
	callbacks = kcalloc(count, sizeof(*callbacks), GFP_KERNEL);
	if (names && callbacks) {
		for (i = 0; i < count; i++) {
			names[i] = info[i].name;
			callbacks[i] = info[i].callback;
		}
		err = virtio_find_vqs(vdev, count, vqs, callbacks, names, NULL);
	}

	kfree(callbacks);
	kfree(names);
	return err;
#endif
}

#endif /* VRDMA_CORE_COMPAT_H */
