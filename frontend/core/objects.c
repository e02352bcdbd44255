// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: the device's objects, which it names by handles. */
#include "core/cmd.h"

/*
 * For an object that the device has just made.  One whose handle belongs to
 * another is not destroyed with @destroy: that would be the other's end.
 */
int vrdma_track(struct vrdma_dev *dev, struct xarray *table, struct vrdma_tracked *tracked,
		u32 uctx, u32 handle, u16 destroy)
{
	int err;

	refcount_set(&tracked->refs, 1);
	init_completion(&tracked->idle);

	err = xa_insert_irq(table, handle, tracked, GFP_KERNEL);
	if (err == -EBUSY) {
		dev_warn_ratelimited(&dev->vdev->dev, "handle %u given out twice\n", handle);
		return -EIO;
	}
	if (err)
		vrdma_cmd_release(dev, destroy, uctx, handle);
	return err;
}

struct vrdma_tracked *vrdma_tracked_get(struct xarray *table, u32 handle)
{
	struct vrdma_tracked *tracked;
	unsigned long flags;

	xa_lock_irqsave(table, flags);
	tracked = xa_load(table, handle);
	if (tracked)
		refcount_inc(&tracked->refs);
	xa_unlock_irqrestore(table, flags);

	return tracked;
}

/* The first object from *@handle on. */
struct vrdma_tracked *vrdma_tracked_next(struct xarray *table, unsigned long *handle)
{
	struct vrdma_tracked *tracked;
	unsigned long flags;

	xa_lock_irqsave(table, flags);
	tracked = xa_find(table, handle, ULONG_MAX, XA_PRESENT);
	if (tracked)
		refcount_inc(&tracked->refs);
	xa_unlock_irqrestore(table, flags);

	return tracked;
}

void vrdma_tracked_put(struct vrdma_tracked *tracked)
{
	if (refcount_dec_and_test(&tracked->refs))
		complete(&tracked->idle);
}

/* From here on, nobody finds the object. */
void vrdma_hide(struct xarray *table, u32 handle)
{
	xa_erase_irq(table, handle);
}

/*
 * Returns when no event handler uses the object any more.  To be called before
 * the device's object is destroyed: its handle is free for others after that.
 */
void vrdma_untrack(struct xarray *table, u32 handle, struct vrdma_tracked *tracked)
{
	vrdma_hide(table, handle);
	vrdma_tracked_put(tracked);
	wait_for_completion(&tracked->idle);
}
