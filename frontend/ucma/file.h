/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: files of /dev/infiniband/rdma_cm, and the devices that they are on. */
#ifndef VRDMA_UCMA_FILE_H
#define VRDMA_UCMA_FILE_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/xarray.h>
#include <rdma/ib_verbs.h>

struct vrdma_dev;

/* The files of one device share this.  It lives as long as the last of them and the device. */
struct vrdma_ucma {
	refcount_t refs;
	struct rw_semaphore lock;	/* protects dev; commands hold it for reading */
	struct vrdma_dev *dev;		/* NULL when the device is gone */
	bool dead;			/* the device is gone, or has failed */
	struct xarray files;		/* struct vrdma_ucma_file by the device's handle */
	struct list_head list;		/* entry in vrdma_ucmas */
};

/* ucma/devices.c */
extern struct mutex vrdma_ucma_mutex;	/* protects vrdma_ucmas and the node's state */
extern struct list_head vrdma_ucmas;
struct vrdma_ucma *vrdma_ucma_get_any(void);
void vrdma_ucma_put(struct vrdma_ucma *ucma);

/* ucma/file.c */
extern const struct file_operations vrdma_ucma_fops;
void vrdma_ucma_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type);

#endif /* VRDMA_UCMA_FILE_H */
