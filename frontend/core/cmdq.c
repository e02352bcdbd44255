// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: controlq, on which commands go to the device. */
#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"

/* How often a waiting command looks whether there is still a device. */
#define VRDMA_CMD_CHECK_INTERVAL	(2 * HZ)
/* How long a caller looks for the answer before it sleeps. */
#define VRDMA_CMD_POLL_US		100

void vrdma_cmdq_init(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;

	spin_lock_init(&cmdq->lock);
	mutex_init(&cmdq->submit);
	init_waitqueue_head(&cmdq->wait);
}

static int vrdma_cmdq_add(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	struct scatterlist request, reply, *sgs[2];

	if (cmd->payload_sg) {
		sg_set_buf(&cmd->payload_sg[0], cmd->req, cmd->req_len + cmd->udata_in);
		sgs[0] = cmd->payload_sg;
	} else {
		sg_init_one(&request, cmd->req, cmd->req_len + cmd->udata_in);
		sgs[0] = &request;
	}
	sg_init_one(&reply, cmd->reply, cmd->rsp_len + cmd->udata_out);
	sgs[1] = &reply;

	return virtqueue_add_sgs(dev->cmdq.vq, sgs, 1, 1, cmd, GFP_ATOMIC);
}

static int vrdma_cmdq_try_submit(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
				 unsigned int *completed)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	bool kick = false;
	int err = -EIO;

	spin_lock_irq(&cmdq->lock);
	*completed = cmdq->completed;
	if (dev->state == VRDMA_ALIVE)
		err = vrdma_cmdq_add(dev, cmd);
	if (!err) {
		kref_get(&cmd->ref);
		/* The caller looks for the answer itself before it sleeps. */
		if (!cmdq->sleepers)
			virtqueue_disable_cb(cmdq->vq);
		kick = virtqueue_kick_prepare(cmdq->vq);
	}
	spin_unlock_irq(&cmdq->lock);

	if (kick)
		virtqueue_notify(cmdq->vq);
	return err;
}

static void vrdma_cmdq_finish(struct vrdma_cmdq *cmdq, struct vrdma_cmd *cmd, u32 used, int err)
{
	cmd->used = used;
	cmd->err = err;
	WRITE_ONCE(cmdq->completed, cmdq->completed + 1);
	complete(&cmd->done);
	vrdma_cmd_put(cmd);
}

/* With cmdq->lock.  Returns true when there was an answer. */
static bool vrdma_cmdq_reap(struct vrdma_cmdq *cmdq)
{
	struct vrdma_cmd *cmd;
	bool any = false;
	u32 used;

	while ((cmd = virtqueue_get_buf(cmdq->vq, &used))) {
		vrdma_cmdq_finish(cmdq, cmd, used, 0);
		any = true;
	}
	return any;
}

/* With cmdq->lock.  Takes the answers there are, and has the device call for the next. */
static void vrdma_cmdq_reap_and_enable(struct vrdma_cmdq *cmdq)
{
	do {
		virtqueue_disable_cb(cmdq->vq);
		vrdma_cmdq_reap(cmdq);
		if (virtqueue_is_broken(cmdq->vq))
			break;
	} while (!virtqueue_enable_cb(cmdq->vq));
}

/* The device announces answers by an interrupt from here on, until vrdma_cmdq_woken(). */
static void vrdma_cmdq_sleeps(struct vrdma_dev *dev)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;

	spin_lock_irq(&cmdq->lock);
	cmdq->sleepers++;
	if (dev->state == VRDMA_ALIVE)
		vrdma_cmdq_reap_and_enable(cmdq);
	spin_unlock_irq(&cmdq->lock);

	/* Answers to other callers may be among those that were taken. */
	wake_up_all(&cmdq->wait);
}

static void vrdma_cmdq_woken(struct vrdma_dev *dev)
{
	spin_lock_irq(&dev->cmdq.lock);
	dev->cmdq.sleepers--;
	spin_unlock_irq(&dev->cmdq.lock);
}

/*
 * Most verbs take the host less time than an interrupt takes the guest.  Returns true when
 * the answer came while we looked.
 */
static bool vrdma_cmd_poll(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	ktime_t end = ktime_add_us(ktime_get(), VRDMA_CMD_POLL_US);
	bool late, any;

	do {
		late = ktime_after(ktime_get(), end);

		spin_lock_irq(&cmdq->lock);
		any = dev->state == VRDMA_ALIVE && vrdma_cmdq_reap(cmdq);
		spin_unlock_irq(&cmdq->lock);

		if (any)
			wake_up_all(&cmdq->wait);
		if (try_wait_for_completion(&cmd->done))
			return true;
		cpu_relax();
	} while (!late && !need_resched() && vrdma_alive(dev));

	return false;
}

static bool vrdma_cmdq_changed(struct vrdma_dev *dev, unsigned int completed)
{
	return READ_ONCE(dev->cmdq.completed) != completed || !vrdma_alive(dev);
}

static long vrdma_cmdq_wait_for_room(struct vrdma_dev *dev, unsigned int completed, bool killable)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	long left;

	vrdma_cmdq_sleeps(dev);
	if (killable)
		left = wait_event_killable_timeout(cmdq->wait, vrdma_cmdq_changed(dev, completed),
						   VRDMA_CMD_CHECK_INTERVAL);
	else
		left = wait_event_timeout(cmdq->wait, vrdma_cmdq_changed(dev, completed),
					  VRDMA_CMD_CHECK_INTERVAL);
	vrdma_cmdq_woken(dev);
	return left;
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
	struct vrdma_cmd *cmd;

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
	while (cmdq->vq && (cmd = virtqueue_detach_unused_buf(cmdq->vq)))
		vrdma_cmdq_finish(cmdq, cmd, 0, -EIO);
	/* Pairs with vrdma_dead(): the device has written for the last time. */
	smp_store_release(&dev->state, VRDMA_DEAD);
	spin_unlock_irq(&cmdq->lock);

	wake_up_all(&cmdq->wait);
	return true;
}

static int vrdma_cmdq_submit(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool killable)
{
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	unsigned int completed;
	long left;
	int err;

	if (!killable)
		mutex_lock(&cmdq->submit);
	else if (mutex_lock_killable(&cmdq->submit))
		return -EINTR;

	while ((err = vrdma_cmdq_try_submit(dev, cmd, &completed)) == -ENOSPC) {
		left = vrdma_cmdq_wait_for_room(dev, completed, killable);
		if (left < 0) {
			err = -EINTR;
			break;
		}
		if (!left)
			vrdma_look(dev);
	}

	mutex_unlock(&cmdq->submit);

	/* Until the reset is over, the device may use what the caller frees next. */
	if (err == -EIO && vrdma_cmdq_stop(dev)) {
		WRITE_ONCE(dev->untold, true);
		vrdma_look(dev);
	}
	return err;
}

static int vrdma_cmd_sleep(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool killable)
{
	unsigned int intervals = 0;
	long left;

	for (;;) {
		if (killable)
			left = wait_for_completion_killable_timeout(&cmd->done,
								    VRDMA_CMD_CHECK_INTERVAL);
		else
			left = wait_for_completion_timeout(&cmd->done, VRDMA_CMD_CHECK_INTERVAL);
		if (left > 0)
			return 0;
		if (left < 0)
			return -EINTR;

		/* A device that is lost is stopped, which completes the command. */
		vrdma_look(dev);
		if (++intervals == 15)
			dev_warn(&dev->vdev->dev,
				 "command %#x has no answer yet: is the host's vrdmad alive?\n",
				 le16_to_cpu(((struct vrdma_cmd_hdr *)cmd->req)->opcode));
	}
}

/* A caller that is killed leaves.  Its command is freed when the device is done with it. */
static int vrdma_cmd_wait(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool killable)
{
	int err;

	if (vrdma_cmd_poll(dev, cmd))
		return 0;

	vrdma_cmdq_sleeps(dev);
	err = vrdma_cmd_sleep(dev, cmd, killable);
	vrdma_cmdq_woken(dev);
	return err;
}

static int vrdma_cmd_check(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
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

static int __vrdma_cmd_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd, bool killable)
{
	int err;

	err = vrdma_cmdq_submit(dev, cmd, killable);
	if (!err)
		err = vrdma_cmd_wait(dev, cmd, killable);
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
	return __vrdma_cmd_exec(dev, cmd, false);
}

/*
 * As vrdma_cmd_exec(), and -EINTR to a caller that is killed.  An object that such a caller
 * created without knowing goes with its user context.
 */
int vrdma_cmd_exec_killable(struct vrdma_dev *dev, struct vrdma_cmd *cmd)
{
	return __vrdma_cmd_exec(dev, cmd, true);
}

void vrdma_cmdq_callback(struct virtqueue *vq)
{
	struct vrdma_dev *dev = vrdma_dev_of_vq(vq);
	struct vrdma_cmdq *cmdq = &dev->cmdq;
	unsigned long flags;

	spin_lock_irqsave(&cmdq->lock, flags);
	vrdma_cmdq_reap_and_enable(cmdq);
	spin_unlock_irqrestore(&cmdq->lock, flags);

	wake_up_all(&cmdq->wait);
}
