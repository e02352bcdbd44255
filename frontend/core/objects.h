/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the device's objects, which it names by handles. */
#ifndef VRDMA_CORE_OBJECTS_H
#define VRDMA_CORE_OBJECTS_H

#include <linux/completion.h>
#include <linux/refcount.h>
#include <linux/xarray.h>

struct ib_udata;
struct vrdma_dev;
struct vrdma_pins;

/* An object that events name by its handle: who uses it, and a wait for nobody to. */
struct vrdma_tracked {
	refcount_t refs;
	struct completion idle;
};

/* Commands with nothing but a handle in the request or in the response. */
int vrdma_cmd_acquire(struct vrdma_dev *dev, u16 opcode, u16 undo, u32 uctx,
		      struct ib_udata *udata, u32 *handle);
int vrdma_cmd_release(struct vrdma_dev *dev, u16 opcode, u32 uctx, u32 handle,
		      struct vrdma_pins *pins);

int vrdma_track(struct vrdma_dev *dev, struct xarray *table, struct vrdma_tracked *tracked,
		u32 uctx, u32 handle, u16 destroy);
struct vrdma_tracked *vrdma_tracked_get(struct xarray *table, u32 handle);
struct vrdma_tracked *vrdma_tracked_next(struct xarray *table, unsigned long *handle);
void vrdma_tracked_put(struct vrdma_tracked *tracked);
void vrdma_hide(struct xarray *table, u32 handle);
void vrdma_untrack(struct xarray *table, u32 handle, struct vrdma_tracked *tracked);

#endif /* VRDMA_CORE_OBJECTS_H */
