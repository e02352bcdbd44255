// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: controlq, on which commands go to the device. */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/abandoned.h"
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"

/* How often a waiting command looks whether there is still a device. */
#define VRDMA_CMD_CHECK_INTERVAL	(2 * HZ)
/* How long a caller looks for the answer before it sleeps. */
#define VRDMA_CMD_POLL_US		100

/*
 * The longest commands pin memory of many gigabytes, which takes a host that swaps seconds.  The
 * bound is off by default: a back-end that does not answer the reset either has QEMU pause the
 * guest, until the back-end can write to the guest's memory no more.
 */
static unsigned int vrdma_command_timeout;
module_param_named(command_timeout, vrdma_command_timeout, uint, 0644);
MODULE_PARM_DESC(command_timeout,
		 "Seconds in which a device that has commands must end one, or it is reset (0: never)");

/* Who waits for a command. */
enum vrdma_waiter {
	VRDMA_STAYS,		/* until the command ends */
	VRDMA_KILLABLE,		/* as long as it is not killed */
	VRDMA_LEAVES,		/* as above, and not long when it is dying already */
};

void vrdma_cmdq_init(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;

	spin_lock_init(&cmdq->lock);
	init_waitqueue_head(&cmdq->wait);
	INIT_LIST_HEAD(&cmdq->waiting);
	vrdma_abandoned_init(dev);
}

/* With cmdq->lock.  The device has shown that it works, or has nothing to do. */
static void vrdma_cmdq_moved(struct vrdma_cmdq *cmdq)
{
	cmdq->moved = jiffies;
	cmdq->looked = jiffies;
	cmdq->silent = 0;
}

/*
 * Returns true when the device has not ended a command for too long.  Looks are counted, and not
 * the time between them: a virtual machine that was stopped finds that much time has passed.
 */
bool vrdma_cmdq_is_stuck(struct vrdma_dev *dev)
{
	unsigned int limit = READ_ONCE(vrdma_command_timeout);
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	bool stuck;

	spin_lock_irq(&cmdq->lock);
	if (cmdq->in_flight &&
	    time_after_eq(jiffies, cmdq->looked + VRDMA_CMD_CHECK_INTERVAL)) {
		cmdq->looked = jiffies;
		cmdq->silent++;
	}
	stuck = limit && (u64)cmdq->silent * VRDMA_CMD_CHECK_INTERVAL >= (u64)limit * HZ;
	spin_unlock_irq(&cmdq->lock);

	return stuck;
}

/* Returns true when there is no point in waiting for a device that nobody must wait for. */
static bool vrdma_cmdq_is_silent(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;

	return READ_ONCE(cmdq->in_flight) &&
	       time_after(jiffies, READ_ONCE(cmdq->moved) + VRDMA_CMD_CHECK_INTERVAL);
}

/* With cmdq->lock.  Gives the device a command.  Returns -ENOSPC when vq has no room. */
static int vrdma_cmdq_add(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	struct scatterlist request, reply, *sgs[2];
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	int err;

	if (cmd->payload_sg) {
		sg_set_buf(&cmd->payload_sg[0], cmd->req, cmd->req_len + cmd->udata_in);
		sgs[0] = cmd->payload_sg;
	} else {
		sg_init_one(&request, cmd->req, cmd->req_len + cmd->udata_in);
		sgs[0] = &request;
	}
	sg_init_one(&reply, cmd->reply, cmd->rsp_len + cmd->udata_out);
	sgs[1] = &reply;

	err = virtqueue_add_sgs(cmdq->vq, sgs, 1, 1, cmd, GFP_ATOMIC);
	if (!err && !cmdq->in_flight++)
		vrdma_cmdq_moved(cmdq);
	return err;
}

/* With cmdq->lock.  A command that was abandoned goes on to core/abandoned.c. */
static void vrdma_cmdq_end(struct vrdma_cmdq *cmdq, struct vrdma_cmd *cmd, u32 used, int err)
{
	cmd->used = used;
	cmd->err = err;
	cmd->ended = true;
	if (cmd->abandoned) {
		cmdq->sleepers--;
		list_add_tail(&cmd->entry, &cmdq->abandoned);
		queue_work(system_long_wq, &cmdq->abandoned_work);
		return;
	}
	complete(&cmd->done);
	vrdma_cmd_put(cmd);
}

/* With cmdq->lock.  Commands that waited for room in vq go to the device, in their order. */
static void vrdma_cmdq_refill(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	struct vrdma_cmd *cmd, *next;
	bool kick = false;
	int err;

	list_for_each_entry_safe(cmd, next, &cmdq->waiting, entry) {
		err = vrdma_cmdq_add(dev, cmd);
		if (err == -ENOSPC)
			break;
		list_del_init(&cmd->entry);
		kick |= !err;
		if (err)
			vrdma_cmdq_end(cmdq, cmd, 0, err);
	}

	if (kick && virtqueue_kick_prepare(cmdq->vq))
		virtqueue_notify(cmdq->vq);
}

/* With cmdq->lock.  Takes the answers that there are. */
static void vrdma_cmdq_reap(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	struct vrdma_cmd *cmd;
	u32 used;

	while ((cmd = virtqueue_get_buf(cmdq->vq, &used))) {
		cmdq->in_flight--;
		vrdma_cmdq_moved(cmdq);
		vrdma_cmdq_end(cmdq, cmd, used, 0);
	}
	if (!list_empty(&cmdq->waiting))
		vrdma_cmdq_refill(dev);
}

/* With cmdq->lock.  Takes the answers there are, and has the device call for the next. */
static void vrdma_cmdq_reap_and_enable(struct vrdma_dev *dev)
{
	struct virtqueue *vq = dev->cmdq.vq;

	do {
		virtqueue_disable_cb(vq);
		vrdma_cmdq_reap(dev);
		if (virtqueue_is_broken(vq))
			break;
	} while (!virtqueue_enable_cb(vq));
}

/*
 * With cmdq->lock.  The device announces answers by an interrupt from here on, until there are no
 * sleepers.
 */
static void vrdma_cmdq_add_sleeper(struct vrdma_dev *dev)
{
	dev->cmdq.sleepers++;
	if (dev->state == VRDMA_ALIVE)
		vrdma_cmdq_reap_and_enable(dev);
}

static void vrdma_cmdq_sleeps(struct vrdma_dev *dev)
{
	spin_lock_irq(&dev->cmdq.lock);
	vrdma_cmdq_add_sleeper(dev);
	spin_unlock_irq(&dev->cmdq.lock);
}

static void vrdma_cmdq_woken(struct vrdma_dev *dev)
{
	spin_lock_irq(&dev->cmdq.lock);
	dev->cmdq.sleepers--;
	spin_unlock_irq(&dev->cmdq.lock);
}

/* With cmdq->lock.  One more command has no caller that waits for it. */
static void vrdma_cmdq_watch(struct vrdma_dev *dev)
{
	vrdma_cmdq_add_sleeper(dev);
	queue_delayed_work(system_long_wq, &dev->cmdq.watch_work, VRDMA_CMD_CHECK_INTERVAL);
}

/*
 * Most verbs take the host less time than an interrupt takes the guest.  Returns true when
 * the answer came while we looked.
 */
static bool vrdma_cmd_poll(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	ktime_t end = ktime_add_us(ktime_get(), VRDMA_CMD_POLL_US);
	bool late;

	do {
		late = ktime_after(ktime_get(), end);

		spin_lock_irq(&cmdq->lock);
		if (dev->state == VRDMA_ALIVE)
			vrdma_cmdq_reap(dev);
		spin_unlock_irq(&cmdq->lock);

		if (try_wait_for_completion(&cmd->done))
			return true;
		cpu_relax();
	} while (!late && !need_resched() && vrdma_alive(dev));

	return false;
}

/* With cmdq->lock, after the reset. */
static void vrdma_cmdq_end_all(struct vrdma_cmdq *cmdq)
{
	struct vrdma_cmd *cmd, *next;

	while (cmdq->vq && (cmd = virtqueue_detach_unused_buf(cmdq->vq)))
		vrdma_cmdq_end(cmdq, cmd, 0, -EIO);
	cmdq->in_flight = 0;
	list_for_each_entry_safe(cmd, next, &cmdq->waiting, entry) {
		list_del_init(&cmd->entry);
		vrdma_cmdq_end(cmdq, cmd, 0, -EIO);
	}
}

/*
 * Resets the device.  Only then do the commands under way fail: their callers
 * unpin and free memory that the device could otherwise still use.  Returns
 * true to the caller that did it; the others return when it is done.
 */
bool vrdma_cmdq_stop(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	struct virtio_device *vdev = dev->vdev;

	spin_lock_irq(&cmdq->lock);
	if (dev->state != VRDMA_ALIVE) {
		spin_unlock_irq(&cmdq->lock);
		wait_event(cmdq->wait, READ_ONCE(dev->state) == VRDMA_DEAD);
		return false;
	}
	WRITE_ONCE(dev->state, VRDMA_STOPPING);
	spin_unlock_irq(&cmdq->lock);

	/* An unplugged function reads as ones, and a reset would wait for ever. */
	if (vdev->config->get_status(vdev) == 0xff) {
		virtio_break_device(vdev);
		virtio_synchronize_cbs(vdev);
	} else {
		virtio_reset_device(vdev);
	}

	spin_lock_irq(&cmdq->lock);
	/* Pairs with vrdma_dead(): the device has written for the last time. */
	smp_store_release(&dev->state, VRDMA_DEAD);
	vrdma_cmdq_end_all(cmdq);
	spin_unlock_irq(&cmdq->lock);

	wake_up_all(&cmdq->wait);
	return true;
}

/* With cmdq->lock.  Whoever comes while others wait for room waits behind them. */
static int vrdma_cmdq_try_submit(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool *kick)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	int err = -ENOSPC;

	if (dev->state != VRDMA_ALIVE)
		return -EIO;

	if (list_empty(&cmdq->waiting))
		err = vrdma_cmdq_add(dev, cmd);
	if (err && err != -ENOSPC)
		return err;
	if (err)
		list_add_tail(&cmd->entry, &cmdq->waiting);
	else
		*kick = virtqueue_kick_prepare(cmdq->vq);

	kref_get(&cmd->ref);
	if (cmd->abandoned)
		vrdma_cmdq_watch(dev);
	/* The caller looks for the answer itself before it sleeps. */
	else if (!cmdq->sleepers)
		virtqueue_disable_cb(cmdq->vq);
	return 0;
}

/* Gives the command to the device, or queues it for the device. */
static int vrdma_cmdq_submit(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	bool kick = false;
	int err;

	spin_lock_irq(&cmdq->lock);
	err = vrdma_cmdq_try_submit(dev, cmd, &kick);
	spin_unlock_irq(&cmdq->lock);
	if (kick)
		virtqueue_notify(cmdq->vq);

	/* Until the reset is over, the device may use what the caller frees next. */
	if (err == -EIO && vrdma_cmdq_stop(dev)) {
		WRITE_ONCE(dev->untold, true);
		vrdma_look(dev);
	}
	return err;
}

/*
 * The caller leaves, and core/abandoned.c ends the command.  Without @must_run, a command that the
 * device has not seen yet is dropped instead.  Returns false when it has ended meanwhile.
 */
static bool vrdma_cmd_abandon(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool must_run)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	bool left = false;

	spin_lock_irq(&cmdq->lock);
	if (cmd->ended)
		goto out;

	left = true;
	if (!must_run && !list_empty(&cmd->entry)) {
		list_del_init(&cmd->entry);
		vrdma_cmd_put(cmd);	/* the reference of controlq */
		goto out;
	}
	cmd->abandoned = true;
	vrdma_cmdq_watch(dev);
out:
	spin_unlock_irq(&cmdq->lock);
	return left;
}

/* Nobody waits for abandoned commands, and somebody has to look whether there is a device. */
void vrdma_cmdq_watch_work(struct work_struct *work)
{
	struct vrdma_cmdq *cmdq = container_of(to_delayed_work(work), struct vrdma_cmdq,
					       watch_work);
	struct vrdma_dev *dev = container_of(cmdq, struct vrdma_dev, cmdq);

	spin_lock_irq(&cmdq->lock);
	if (cmdq->sleepers)
		queue_delayed_work(system_long_wq, &cmdq->watch_work, VRDMA_CMD_CHECK_INTERVAL);
	spin_unlock_irq(&cmdq->lock);

	vrdma_look(dev);
}

/* Returns -EINTR to a caller that does not wait any more. */
static int vrdma_cmd_sleep(struct vrdma_dev *dev, struct vrdma_cmd *cmd, enum vrdma_waiter waiter)
{
	unsigned int intervals = 0;
	long left;

	for (;;) {
		if (waiter == VRDMA_STAYS)
			left = wait_for_completion_timeout(&cmd->done, VRDMA_CMD_CHECK_INTERVAL);
		else
			left = wait_for_completion_killable_timeout(&cmd->done,
								    VRDMA_CMD_CHECK_INTERVAL);
		if (left > 0)
			return 0;
		/* A task that is dying already cannot be killed. */
		if (left < 0 || (waiter == VRDMA_LEAVES && current->flags & PF_EXITING))
			return -EINTR;

		/* A device that is lost is stopped, which completes the command. */
		vrdma_look(dev);
		if (++intervals == 15)
			dev_warn(&dev->vdev->dev,
				 "command %#x has no answer yet: is the host's vrdmad alive?\n",
				 le16_to_cpu(((struct vrdma_cmd_hdr *)cmd->req)->opcode));
	}
}

static int vrdma_cmd_wait(struct vrdma_dev *dev, struct vrdma_cmd *cmd, enum vrdma_waiter waiter)
{
	int err;

	if (vrdma_cmd_poll(dev, cmd))
		return 0;

	if (waiter == VRDMA_LEAVES && current->flags & PF_EXITING && vrdma_cmdq_is_silent(dev)) {
		err = -EINTR;
	} else {
		vrdma_cmdq_sleeps(dev);
		err = vrdma_cmd_sleep(dev, cmd, waiter);
		vrdma_cmdq_woken(dev);
	}
	if (err && !vrdma_cmd_abandon(dev, cmd, waiter == VRDMA_LEAVES))
		err = 0;
	return err;
}

/*
 * Checks and copies the answer to a command that has ended.  Returns the errno in it, that with
 * which the device was given up, or -EIO for nonsense.
 */
int vrdma_cmd_check(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	const struct vrdma_cmd_hdr *req = cmd->req;
	const struct vrdma_rsp_hdr *rsp = cmd->rsp;
	u32 status;

	if (cmd->err)
		return cmd->err;

	memcpy(cmd->rsp, cmd->reply, cmd->rsp_len + cmd->udata_out);
	if (cmd->used < sizeof(*rsp) || !vrdma_rsp_hdr_valid(rsp, cmd->rsp_len, cmd->udata_out))
		goto invalid;

	status = le32_to_cpu(rsp->status);
	if (status >= ERESTARTSYS)	/* from there on, errnos are the kernel's own */
		goto invalid;
	if (status)
		return -(int)status;
	if (cmd->used < cmd->rsp_len + le32_to_cpu(rsp->udata_len))
		goto invalid;

	return 0;

invalid:
	dev_warn_ratelimited(&dev->vdev->dev, "invalid response (%u bytes) to command %#x\n",
			     cmd->used, le16_to_cpu(req->opcode));
	return -EIO;
}

/*
 * The kernel's consumers take an EIO for the end of their connection for good: NFS passes it on to
 * the programs of a hard mount.  They try again after an ENETDOWN, and find the device when it is
 * back (net/sunrpc/clnt.c, call_connect_status()).
 */
static int vrdma_cmd_error(struct vrdma_dev *dev, const struct vrdma_cmd *cmd, int err)
{
	const struct vrdma_cmd_hdr *req = cmd->req;
	u32 uctx = le32_to_cpu(req->uctx);

	if (err == -EIO && !vrdma_alive(dev) && uctx != VRDMA_NO_HANDLE &&
	    uctx == dev->kernel_uctx)
		return -ENETDOWN;
	return err;
}

static int __vrdma_cmd_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd, enum vrdma_waiter waiter)
{
	int err;

	err = vrdma_cmdq_submit(dev, cmd);
	if (!err)
		err = vrdma_cmd_wait(dev, cmd, waiter);
	if (!err)
		err = vrdma_cmd_check(dev, cmd);
	return vrdma_cmd_error(dev, cmd, err);
}

/*
 * Executes @cmd, whose outcome must be known, also by a process that is dying.  Returns the
 * errno that the device answered, -EIO for a device that is given up or answers nonsense, and
 * -ENETDOWN to the kernel's consumers when it is given up.
 */
int vrdma_cmd_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	return __vrdma_cmd_exec(dev, cmd, VRDMA_STAYS);
}

/*
 * As vrdma_cmd_exec(), and -EINTR to a caller that is killed.  @cmd->abandoned says then that the
 * device may still execute the command, and that @cmd->pins are not the caller's any more.  An
 * object that such a caller created without knowing goes with its user context, or by @cmd->undo.
 */
int vrdma_cmd_exec_killable(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	return __vrdma_cmd_exec(dev, cmd, VRDMA_KILLABLE);
}

/*
 * As vrdma_cmd_exec(), for a command that releases something, and whose caller has nothing to do
 * with the outcome when it dies.  It leaves the command to the device then, and gets 0, with
 * @cmd->abandoned set and @cmd->pins not its own any more.
 */
int vrdma_cmd_exec_leaving(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	int err = __vrdma_cmd_exec(dev, cmd, VRDMA_LEAVES);

	return cmd->abandoned ? 0 : err;
}

/* Has the device execute @cmd, and does not wait.  Nothing is to be done without a device. */
void vrdma_cmd_send(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	cmd->abandoned = true;
	vrdma_cmdq_submit(dev, cmd);
}

void vrdma_cmdq_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vrdma_dev_of_vq(vq);
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	unsigned long flags;

	spin_lock_irqsave(&cmdq->lock, flags);
	vrdma_cmdq_reap_and_enable(dev);
	spin_unlock_irqrestore(&cmdq->lock, flags);
}
