/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user interface of the RDMA connection manager, /dev/infiniband/rdma_cm,
 * forwarded to the device (VRDMA_F_UCMA).
 */
#ifndef VRDMA_UCM_H
#define VRDMA_UCM_H

#include <linux/fs.h>
#include <linux/list.h>
#include <linux/rwsem.h>

#include "core/dev.h"

/* What the files of one device share.  It outlives the device when they do. */
struct vrdma_ucm {
	refcount_t refs;
	struct rw_semaphore lock;	/* of dev; read over commands */
	struct vrdma_dev *dev;		/* NULL when it is gone */
	bool dead;			/* it is gone, or has failed */
	struct xarray files;		/* struct vrdma_ucm_file, by the device's handle */
	struct list_head list;		/* vrdma_ucm_node.c */
};

/* vrdma_ucm.c */
extern const struct file_operations vrdma_ucm_fops;
void vrdma_ucm_put(struct vrdma_ucm *ucm);
void vrdma_ucm_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type);

/* vrdma_ucm_node.c */
struct vrdma_ucm *vrdma_ucm_get_any(void);

#endif /* VRDMA_UCM_H */
