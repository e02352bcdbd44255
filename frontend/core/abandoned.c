// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: commands whose caller did not wait for the answer, because it was killed or
 * is dying.  The device may not answer for long, and a process must be able to end meanwhile.
 *
 * Such a command owns the memory that the device may use for it.  When the command has ended:
 *
 *  - What released an object takes the object's memory along.
 *  - What made an object leaves it to the user context, which nobody can use without the process
 *    that is gone.  The object's memory is kept until the device has no user context any more.
 *  - What made something that no user context takes along is undone.
 *
 * The device executes commands in their order, so that a user context's release comes after all
 * that used it.
 */
#include <linux/slab.h>

#include "core/abandoned.h"
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"

/* Memory that objects of a user context may use which nobody knows of. */
struct vrdma_kept {
	struct list_head entry;
	u32 uctx;
	struct vrdma_pins pins;
};

static u32 vrdma_cmd_uctx(const struct vrdma_cmd *cmd)
{
	return le32_to_cpu(((const struct vrdma_cmd_hdr *)cmd->req)->uctx);
}

static u16 vrdma_cmd_opcode(const struct vrdma_cmd *cmd)
{
	return le16_to_cpu(((const struct vrdma_cmd_hdr *)cmd->req)->opcode);
}

static void vrdma_keep(struct vrdma_dev *dev, u32 uctx, struct vrdma_pins *pins)
{
	struct vrdma_kept *kept;

	if (!pins->count)
		return;

	kept = kzalloc(sizeof(*kept), GFP_KERNEL | __GFP_NOFAIL);
	kept->uctx = uctx;
	vrdma_pins_move(&kept->pins, pins);
	mutex_lock(&dev->cmdq.kept_lock);
	list_add_tail(&kept->entry, &dev->cmdq.kept);
	mutex_unlock(&dev->cmdq.kept_lock);
}

/* The device uses nothing any more of what was kept for @uctx, or for all with VRDMA_NO_HANDLE. */
static void vrdma_release_kept(struct vrdma_dev *dev, u32 uctx)
{
	struct vrdma_kept *kept, *next;

	mutex_lock(&dev->cmdq.kept_lock);
	list_for_each_entry_safe(kept, next, &dev->cmdq.kept, entry) {
		if (uctx != VRDMA_NO_HANDLE && kept->uctx != uctx)
			continue;
		list_del(&kept->entry);
		vrdma_pins_release(&kept->pins);
		kfree(kept);
	}
	mutex_unlock(&dev->cmdq.kept_lock);
}

/* The command has made what its handle says, or nobody knows. */
static void vrdma_undo(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	const struct vrdma_rsp_handle *rsp = cmd->rsp;
	u32 handle = le32_to_cpu(rsp->handle);
	struct vrdma_cmd *undo;

	if (handle == VRDMA_NO_HANDLE)
		return;
	undo = vrdma_cmd_alloc_release(cmd->undo, vrdma_cmd_uctx(cmd), handle);
	vrdma_cmd_send(dev, undo);
	vrdma_cmd_put(undo);
}

static void vrdma_end_abandoned(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	bool never = cmd->err;
	int err = vrdma_cmd_check(dev, cmd);

	/* An answer that is nonsense says nothing about what the device has done. */
	if (never || (cmd->releases ? !err : err && err != -EIO))
		vrdma_pins_release(&cmd->pins);
	vrdma_keep(dev, vrdma_cmd_uctx(cmd), &cmd->pins);

	if (!err && cmd->undo)
		vrdma_undo(dev, cmd);
	if (!err && vrdma_cmd_opcode(cmd) == VRDMA_CMD_DEALLOC_UCONTEXT)
		vrdma_release_kept(dev, le32_to_cpu(((struct vrdma_cmd_handle *)cmd->req)->handle));
	vrdma_cmd_put(cmd);
}

static struct vrdma_cmd *vrdma_next_abandoned(struct vrdma_cmdq *cmdq)
{
	struct vrdma_cmd *cmd;

	spin_lock_irq(&cmdq->lock);
	cmd = list_first_entry_or_null(&cmdq->abandoned, struct vrdma_cmd, entry);
	if (cmd)
		list_del_init(&cmd->entry);
	spin_unlock_irq(&cmdq->lock);
	return cmd;
}

/* Does not wait for the device. */
static void vrdma_abandoned_work(struct work_struct *work)
{
	struct vrdma_cmdq *cmdq = container_of(work, struct vrdma_cmdq, abandoned_work);
	struct vrdma_dev *dev = container_of(cmdq, struct vrdma_dev, cmdq);
	struct vrdma_cmd *cmd;

	while ((cmd = vrdma_next_abandoned(cmdq)))
		vrdma_end_abandoned(dev, cmd);
}

void vrdma_abandoned_init(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;

	INIT_LIST_HEAD(&cmdq->abandoned);
	INIT_LIST_HEAD(&cmdq->kept);
	mutex_init(&cmdq->kept_lock);
	INIT_WORK(&cmdq->abandoned_work, vrdma_abandoned_work);
	INIT_DELAYED_WORK(&cmdq->watch_work, vrdma_cmdq_watch_work);
}

/*
 * The device has released a user context, and the memory that was kept for it goes.  Nothing comes
 * after that: the commands of the user context have ended.
 */
void vrdma_forget_kept(struct vrdma_dev *dev, u32 uctx)
{
	flush_work(&dev->cmdq.abandoned_work);
	vrdma_release_kept(dev, uctx);
}

/* To be called when the device is dead, and no verb is called any more. */
void vrdma_abandoned_stop(struct vrdma_dev *dev)
{
	cancel_delayed_work_sync(&dev->cmdq.watch_work);
	flush_work(&dev->cmdq.abandoned_work);
	vrdma_release_kept(dev, VRDMA_NO_HANDLE);
}
