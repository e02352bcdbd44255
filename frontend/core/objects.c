// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the device's objects, which it names by handles. */
#include "core/abandoned.h"
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/objects.h"
#include "core/user_memory.h"

/*
 * Has @opcode make an object in the user context @uctx, and sets its @handle.  @undo is the
 * opcode that releases the object again when the user cannot be told.
 */
int vrdma_cmd_acquire(struct vrdma_dev *dev, u16 opcode, u16 undo, u32 uctx,
		      struct ib_udata *udata, u32 *handle)
{
	struct vrdma_rsp_handle *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, opcode, sizeof(struct vrdma_cmd_empty), sizeof(*rsp), uctx,
			      udata);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	/* Nothing would take a new user context along when its caller is killed. */
	if (uctx == VRDMA_NO_HANDLE)
		cmd->undo = undo;
	err = vrdma_cmd_exec_user(dev, cmd, NULL, NULL);
	if (err)
		goto out;

	rsp = cmd->rsp;
	*handle = le32_to_cpu(rsp->handle);
	if (*handle == VRDMA_NO_HANDLE) {
		err = -EIO;
		goto out;
	}
	err = vrdma_cmd_copy_udata(cmd, udata);
	if (err)
		vrdma_cmd_release(dev, undo, uctx, *handle, NULL);
out:
	vrdma_cmd_put(cmd);
	return err;
}

static bool vrdma_is_of_kernel(const struct vrdma_dev *dev, u32 uctx)
{
	return uctx != VRDMA_NO_HANDLE && uctx == dev->kernel_uctx;
}

/* The device has released an object, or has nothing any more. */
static void vrdma_released(struct vrdma_dev *dev, u16 opcode, u32 handle, struct vrdma_pins *pins)
{
	vrdma_pins_release(pins);
	if (opcode == VRDMA_CMD_DEALLOC_UCONTEXT)
		vrdma_forget_kept(dev, handle);
}

/*
 * Has @opcode release the object @handle, and then unpins @pins (or NULL), the memory that the
 * device uses for the object.  Succeeds without a device, where nothing is left of the object, and
 * for a process that dies and leaves the rest to the device.  On an error, the device may still
 * use the memory, which stays the caller's.
 */
int vrdma_cmd_release(struct vrdma_dev *dev, u16 opcode, u32 uctx, u32 handle,
		      struct vrdma_pins *pins)
{
	struct vrdma_cmd *cmd = vrdma_cmd_alloc_release(opcode, uctx, handle);
	int err;

	if (pins)
		vrdma_pins_move(&cmd->pins, pins);
	/* The kernel's consumers free what their queues use. */
	if (vrdma_is_of_kernel(dev, uctx))
		err = vrdma_cmd_exec(dev, cmd);
	else
		err = vrdma_cmd_exec_leaving(dev, cmd);

	if (cmd->abandoned) {
		vrdma_cmd_put(cmd);
		return 0;
	}
	if (!err || !vrdma_alive(dev)) {
		vrdma_released(dev, opcode, handle, &cmd->pins);
		vrdma_cmd_put(cmd);
		return 0;
	}
	if (pins)
		vrdma_pins_move(pins, &cmd->pins);
	vrdma_cmd_put(cmd);

	dev_warn_ratelimited(&dev->vdev->dev, "command %#x for handle %u failed: %d\n", opcode,
			     handle, err);
	return err;
}

/*
 * Enters an object that the device has just made into @table.  On an error, @destroy has
 * released the object, unless its handle belongs to another one, which that would release.
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
		vrdma_cmd_release(dev, destroy, uctx, handle, NULL);
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

/* Returns the first object from *@handle on, with a reference, and sets *@handle. */
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

/* Nobody finds the object from here on. */
void vrdma_hide(struct xarray *table, u32 handle)
{
	xa_erase_irq(table, handle);
}

/*
 * Hides the object and returns when no event handler uses it any more.  To be called before
 * the device's object is destroyed, since others may get the handle after that.
 */
void vrdma_untrack(struct xarray *table, u32 handle, struct vrdma_tracked *tracked)
{
	vrdma_hide(table, handle);
	vrdma_tracked_put(tracked);
	wait_for_completion(&tracked->idle);
}
