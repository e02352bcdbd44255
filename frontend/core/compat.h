/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma guest driver: what differs between the kernels that it is built for.  Kbuild finds out
 * what a kernel has: each file in probes/ that compiles makes one VRDMA_KERNEL_HAS_*.
 */
#ifndef VRDMA_CORE_COMPAT_H
#define VRDMA_CORE_COMPAT_H

#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <rdma/ib_umem.h>
#include <rdma/rdma_user_rxe.h>
#include <rdma/uverbs_ioctl.h>

#include "kernel_has.h"

#ifdef VRDMA_KERNEL_HAS_CREATE_CQ_ATTRS
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

/* The method of struct ib_device_ops, and the type of its number of entries. */
#ifdef VRDMA_KERNEL_HAS_RESIZE_USER_CQ
#define vrdma_op_resize_cq	resize_user_cq
#define vrdma_cqe		unsigned int
#else
#define vrdma_op_resize_cq	resize_cq
#define vrdma_cqe		int
#endif

#ifndef VRDMA_KERNEL_HAS_UMEM_GET_VA
static inline struct ib_umem *ib_umem_get_va(struct ib_device *ibdev, unsigned long addr,
					     size_t size, int access)
{
	return ib_umem_get(ibdev, addr, size, access);
}
#endif

#ifndef VRDMA_KERNEL_HAS_VIRTIO_RESET_DEVICE
static inline void virtio_reset_device(struct virtio_device *vdev)
{
	vdev->config->reset(vdev);
}
#endif

#ifndef VRDMA_KERNEL_HAS_VIRTIO_SYNCHRONIZE_CBS
/* Callbacks run in interrupt handlers, which are read-side critical sections. */
static inline void virtio_synchronize_cbs(struct virtio_device *vdev)
{
	synchronize_rcu();
}
#endif

/* The device expects the address vector behind the 32 bytes of what a datagram has else. */
static inline struct rxe_av *vrdma_rxe_av(struct rxe_send_wr *wr)
{
#ifdef VRDMA_KERNEL_HAS_RXE_AV_IN_WR
	return &wr->wr.ud.av;
#else
	static_assert(offsetof(struct rxe_send_wqe, av) ==
		      offsetof(struct rxe_send_wr, wr) + 32);

	return &container_of(wr, struct rxe_send_wqe, wr)->av;
#endif
}

#ifndef VRDMA_KERNEL_HAS_VIRTQUEUE_INFO
struct virtqueue_info {
	const char *name;
	vq_callback_t *callback;
};
#endif

static inline int vrdma_find_vqs(struct virtio_device *vdev, unsigned int count,
				 struct virtqueue **vqs, struct virtqueue_info *info)
{
#ifdef VRDMA_KERNEL_HAS_VIRTQUEUE_INFO
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
