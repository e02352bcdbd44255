/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the device, which all of its files share. */
#ifndef VRDMA_CORE_DEV_H
#define VRDMA_CORE_DEV_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>

#include "vrdma_check.h"

#define VRDMA_PORT	1

enum vrdma_state {
	VRDMA_ALIVE,
	VRDMA_STOPPING,		/* no new commands; the device is being reset */
	VRDMA_DEAD,		/* reset: it touches no guest memory any more */
};

/* The virtqueue controlq. */
struct vrdma_cmdq {
	struct virtqueue *vq;
	spinlock_t lock;	/* protects all that follows, vq, and dev->state */
	wait_queue_head_t wait;	/* woken for VRDMA_DEAD */
	struct list_head waiting;	/* commands that vq has no room for, in their order */
	unsigned int in_flight;	/* commands that vq has */
	unsigned int sleepers;	/* whoever needs interrupts: callers, abandoned commands */
	unsigned long moved;	/* when the device last ended a command, or got the first one */
	unsigned long looked;	/* when a look last found that it has not */
	unsigned int silent;	/* the number of these looks, one an interval */

	struct list_head abandoned;	/* commands without a caller that have ended */
	struct list_head kept;	/* memory that a user context may still use */
	struct mutex kept_lock;	/* protects kept */
	struct work_struct abandoned_work;
	struct delayed_work watch_work;	/* looks at the device while nobody waits */
};

/* The virtqueue eventq or a completion virtqueue: the device fills buffers of one size. */
struct vrdma_inq {
	struct virtqueue *vq;
	spinlock_t lock;	/* protects vq */
	u32 size;
	void *buffers;
	char name[24];
};

struct vrdma_dev;

/*
 * Handles an event of the device.  @handle names an object or a file, as the type of the event
 * says (common/vrdma_protocol.h); @type is what the handler was registered with.
 */
typedef void (*vrdma_event_handler)(struct vrdma_dev *dev, u32 handle, enum ib_event_type type);

struct vrdma_event_entry {
	vrdma_event_handler handle;
	enum ib_event_type ib_type;
};

struct vrdma_iw_cm;
struct vrdma_ucma;

/*
 * What stays of a virtio device while its RDMA device goes and comes again (recovery.c).  An
 * ib_device cannot be registered twice, so each life of the device has a struct vrdma_dev.
 */
struct vrdma_slot {
	struct virtio_device *vdev;
	struct mutex lock;		/* protects dev and leaving */
	struct vrdma_dev *dev;		/* NULL between two lives */
	bool leaving;			/* there is no further life */
	struct work_struct look_work;	/* looks whether the device is lost */
	struct delayed_work restart_work;	/* ends a life, and begins one */
	struct completion started;	/* the first start was tried */
	unsigned int failures;		/* starts that failed, since the last that did not */
	bool keeps_node;	/* vrdma_ucma_returned() is to be called; the restart only */
	char name[IB_DEVICE_NAME_MAX];	/* of the RDMA device in its last life, or empty */
};

struct vrdma_dev {
	struct ib_device ibdev;
	struct vrdma_slot *slot;
	struct virtio_device *vdev;
	enum vrdma_state state;
	bool begun;		/* the queues are there; under slot->lock */
	bool registered;	/* the core may be given events */
	bool rnic_gone;		/* the device has lost the RNIC behind it */
	bool stuck;		/* the device has ended no command for too long */
	bool started;		/* vrdma_life_start() has succeeded */
	bool live;		/* registered, and not given up; under slot->lock */
	bool starting;		/* the start's commands may wait; under slot->lock */
	bool waiting;		/* the start failed, another life may begin; under slot->lock */
	bool untold;		/* a command has stopped the device, and nobody was told */

	u32 max_qp;
	u32 max_cq;
	u32 max_mr_runs;
	u32 max_udata;
	u8 mac[ETH_ALEN];
	u32 port_caps_set;	/* IB_PORT_*: what the core has set */
	u32 port_caps_cleared;	/* and what it has cleared */

	struct vrdma_udata_pointer udata_pointers[VRDMA_MAX_UDATA_POINTERS];
	u32 udata_pointer_count;

	struct virtio_shm_region shm;
	bool shm_requested;
	struct vrdma_doorbell_area *doorbells;
	u64 doorbells_offset;
	u64 doorbells_length;

	struct vrdma_cmdq cmdq;
	struct vrdma_inq eventq;
	struct virtqueue *doorbellq;
	struct vrdma_inq *completionqs;
	struct vrdma_event_entry events[VRDMA_EVENT_DEVICE_FATAL + 1];
	void (*completed)(struct vrdma_dev *dev, u32 cq);	/* set before the queues start */

	struct xarray cqs;	/* struct vrdma_tracked by handle */
	struct xarray qps;	/* struct vrdma_tracked by handle */
	struct xarray srqs;	/* struct vrdma_tracked by handle */

	u32 kernel_uctx;	/* has the kernel's own objects; or VRDMA_NO_HANDLE */
	struct xarray kernel_qps;	/* the kernel's QPs by their numbers */
	struct work_struct flush_work;	/* kernel_verbs/flush.c */

	struct net_device __rcu *netdev;
	struct notifier_block netdev_nb;
	bool link_up;		/* under rtnl */
	char netdev_link[IFNAMSIZ];	/* under rtnl: the link in netdev_dir, or empty */
	struct kobject *netdev_dir;

	struct mutex gid_lock;		/* protects gids, and their order at the device */
	struct xarray gids;		/* struct vrdma_gid by index (verbs/gid.c) */
	struct work_struct gid_work;
	struct notifier_block gid_nb;
	struct list_head gid_list;

	struct vrdma_iw_cm *iw_cm;	/* NULL without vrdma_has_iw_cm() */
	struct vrdma_ucma *ucma;	/* NULL without VRDMA_F_UCMA */
};

/* The device of a virtqueue.  Virtqueues exist within one life only. */
static inline struct vrdma_dev *vrdma_dev_of_vq(const struct virtqueue *vq)
{
	struct vrdma_slot *slot = vq->vdev->priv;

	return slot->dev;
}

static inline struct vrdma_dev *to_vrdma_dev(struct ib_device *ibdev)
{
	return container_of(ibdev, struct vrdma_dev, ibdev);
}

/* The RNIC speaks iWARP, not RoCE. */
static inline bool vrdma_is_iwarp(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_IWARP);
}

/* The port is on InfiniBand: it has no netdev, and its GIDs are the subnet's. */
static inline bool vrdma_is_infiniband(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_INFINIBAND);
}

/* The device makes connections of its iWARP RNIC (iw_cm/). */
static inline bool vrdma_has_iw_cm(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_IW_CM) && vrdma_is_iwarp(dev);
}

/* The RNIC's queues are such that the kernel can use them itself (kernel_verbs/). */
static inline bool vrdma_has_kernel_verbs(const struct vrdma_dev *dev)
{
	return virtio_has_feature(dev->vdev, VRDMA_F_KERNEL_VERBS) && !vrdma_is_iwarp(dev);
}

static inline bool vrdma_alive(const struct vrdma_dev *dev)
{
	return READ_ONCE(dev->state) == VRDMA_ALIVE;
}

/* Work requests may be flushed: the device touches nothing any more. */
static inline bool vrdma_dead(const struct vrdma_dev *dev)
{
	/* Pairs with the store that follows the reset, in vrdma_cmdq_stop(). */
	return smp_load_acquire(&dev->state) == VRDMA_DEAD;
}

/* Queues a look whether the device is lost (recovery.c), in any context. */
static inline void vrdma_look(struct vrdma_dev *dev)
{
	queue_work(system_long_wq, &dev->slot->look_work);
}

#endif /* VRDMA_CORE_DEV_H */
