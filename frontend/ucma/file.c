// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: files of /dev/infiniband/rdma_cm.
 *
 * Each file has another half at the device, where the RNIC's connection manager is.  Commands
 * are carried there as the user wrote them; only their pointers (<rdma/rdma_user_cm.h>) are
 * looked at here.  GET_EVENT does not wait at the device: waiting is done here.
 *
 * A file may outlive the device.  Its ids get the event of an adapter's removal then.  Their
 * commands fail with -EIO, and those that destroy something succeed, since nothing is left of it.
 * A file whose ids are all destroyed is as new: its next command finds the device that there is.
 */
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <rdma/ib.h>
#include <rdma/rdma_cm.h>
#include <rdma/rdma_user_cm.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/objects.h"
#include "ucma/call.h"
#include "ucma/file.h"
#include "ucma/ids.h"
#include "ucma/ucma.h"

struct vrdma_ucma_file {
	struct rw_semaphore bind_lock;	/* protects ucma and handle; commands hold it for reading */
	struct vrdma_ucma *ucma;	/* NULL before the first command */
	wait_queue_head_t wait;
	bool readable;			/* there may be an event */
	u32 handle;
	struct vrdma_ucma_ids ids;
};

/* The other half of a file.  The functions from here on are called with ucma->lock. */

static int vrdma_ucma_open_half(struct vrdma_ucma *ucma, struct vrdma_ucma_file *file)
{
	struct vrdma_dev *dev = ucma->dev;
	struct vrdma_cmd_ucma_open *req;
	struct vrdma_rsp_handle *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_UCMA_OPEN, sizeof(*req), sizeof(*rsp),
			      VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->ibdev_index = cpu_to_le32(dev->ibdev.index);

	/* Only the reset would close a half that nobody knows of. */
	cmd->undo = VRDMA_CMD_UCMA_CLOSE;
	err = vrdma_cmd_exec_killable(dev, cmd);
	rsp = cmd->rsp;
	if (!err)
		file->handle = le32_to_cpu(rsp->handle);
	vrdma_cmd_put(cmd);
	if (err)
		return err;
	if (file->handle == VRDMA_NO_HANDLE)
		return -EIO;

	err = xa_insert_irq(&ucma->files, file->handle, file, GFP_KERNEL);
	if (err == -EBUSY) {
		dev_warn_ratelimited(&dev->vdev->dev, "handle %u given out twice\n", file->handle);
		return -EIO;
	}
	if (err)
		vrdma_cmd_release(dev, VRDMA_CMD_UCMA_CLOSE, VRDMA_NO_HANDLE, file->handle, NULL);
	return err;
}

static struct vrdma_cmd *vrdma_ucma_new_cmd(struct vrdma_dev *dev, struct vrdma_ucma_file *file,
					    const struct vrdma_ucma_call *call)
{
	u32 limit = min_t(u32, dev->max_udata, VRDMA_UCMA_MAX_COPY);
	struct vrdma_cmd_ucma_command *req;
	struct vrdma_cmd *cmd;

	if (call->hdr.in > limit || call->value_len > limit - call->hdr.in)
		return ERR_PTR(-EINVAL);

	cmd = vrdma_cmd_alloc_room(dev, VRDMA_CMD_UCMA_COMMAND, sizeof(*req),
				   sizeof(struct vrdma_rsp_ucma_command),
				   call->hdr.in + call->value_len, min(call->answer_room, limit));
	if (!cmd)
		return ERR_PTR(-ENOMEM);

	req = cmd->req;
	req->file = cpu_to_le32(file->handle);
	req->command = cpu_to_le32(call->hdr.cmd);
	req->other_file = cpu_to_le32(call->other_file);
	memcpy(cmd->req + sizeof(*req), call->data, call->hdr.in);
	if (call->value_len)
		memcpy(cmd->req + sizeof(*req) + call->hdr.in, call->value, call->value_len);

	return cmd;
}

/* The command has succeeded, with @answer: notes what became of the file's ids. */
static int vrdma_ucma_note(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call,
			   const void *answer, u32 length)
{
	const struct rdma_ucm_create_id_resp *created = answer;
	const struct rdma_ucm_event_resp *event = answer;
	const struct rdma_ucm_destroy_id *destroy = call->data;
	const struct rdma_ucm_create_id *create = call->data;
	const struct rdma_ucm_accept *accept = call->data;
	bool told;
	u64 uid;

	switch (call->hdr.cmd) {
	case RDMA_USER_CM_CMD_CREATE_ID:
		if (length < sizeof(*created))
			return -EIO;
		return vrdma_ucma_ids_add(&file->ids, created->id, create->uid);
	case RDMA_USER_CM_CMD_DESTROY_ID:
		if (call->hdr.in >= sizeof(*destroy))
			vrdma_ucma_ids_remove(&file->ids, destroy->id, &uid, &told);
		return 0;
	case RDMA_USER_CM_CMD_GET_EVENT:
		if (length >= offsetof(struct rdma_ucm_event_resp, reserved) &&
		    event->event == RDMA_CM_EVENT_CONNECT_REQUEST)
			return vrdma_ucma_ids_add(&file->ids, event->id, 0);
		return 0;
	case RDMA_USER_CM_CMD_ACCEPT:
		/*
		 * Only the passive side names its id here.  The active side, whose library asks
		 * for the last step of a connection by the same command, has no parameters.
		 */
		if (call->hdr.in >= offsetofend(struct rdma_ucm_accept, id) &&
		    accept->conn_param.valid)
			vrdma_ucma_ids_name(&file->ids, accept->id, accept->uid);
		return 0;
	default:
		return 0;
	}
}

static int vrdma_ucma_exec(struct vrdma_dev *dev, struct vrdma_ucma_file *file,
			   struct vrdma_ucma_call *call, u32 *flags)
{
	struct vrdma_rsp_ucma_command *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_ucma_new_cmd(dev, file, call);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		*flags = le32_to_cpu(rsp->flags);
		err = vrdma_ucma_note(file, call, cmd->rsp + cmd->rsp_len,
				      le32_to_cpu(rsp->hdr.udata_len));
		vrdma_ucma_set_answer(call, cmd->rsp + cmd->rsp_len,
				      le32_to_cpu(rsp->hdr.udata_len));
	}
	vrdma_cmd_put(cmd);
	return err;
}

/* Without a device, an object to be destroyed is gone, and had no event but that of its end. */
static int vrdma_ucma_destroy_without(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call)
{
	const struct rdma_ucm_destroy_id *destroy = call->data;
	struct rdma_ucm_destroy_id_resp rsp = {};
	bool told = false;
	u64 uid;

	if (call->hdr.out < sizeof(rsp))
		return -ENOSPC;
	if (call->hdr.cmd == RDMA_USER_CM_CMD_DESTROY_ID && call->hdr.in >= sizeof(*destroy))
		vrdma_ucma_ids_remove(&file->ids, destroy->id, &uid, &told);
	/* librdmacm waits until its user has acknowledged so many events of the id. */
	rsp.events_reported = told;
	vrdma_ucma_set_answer(call, &rsp, sizeof(rsp));
	return 0;
}

/* Without a device, each id has one event.  -EAGAIN when all have got theirs. */
static int vrdma_ucma_event_without(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call,
				    u32 *flags)
{
	struct rdma_ucm_event_resp event = {};
	u32 count = vrdma_ucma_ids_next_removed(&file->ids, &event);

	if (!count)
		return -EAGAIN;
	*flags = count > 1 ? VRDMA_UCMA_MORE_EVENTS : 0;
	vrdma_ucma_set_answer(call, &event, sizeof(event));
	return 0;
}

static int vrdma_ucma_exec_without(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call,
				   u32 *flags)
{
	switch (call->hdr.cmd) {
	case RDMA_USER_CM_CMD_DESTROY_ID:
	case RDMA_USER_CM_CMD_LEAVE_MCAST:
		return vrdma_ucma_destroy_without(file, call);
	case RDMA_USER_CM_CMD_GET_EVENT:
		return vrdma_ucma_event_without(file, call, flags);
	default:
		return -EIO;
	}
}

/* Commands.  The functions from here on are called without ucma->lock. */

static void vrdma_ucma_set_readable(struct vrdma_ucma_file *file)
{
	WRITE_ONCE(file->readable, true);
	wake_up_interruptible(&file->wait);
}

static int vrdma_ucma_command(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call,
			      u32 *flags)
{
	struct vrdma_ucma *ucma;
	struct vrdma_dev *dev;
	int err = -EIO;

	down_read(&file->bind_lock);
	ucma = file->ucma;
	down_read(&ucma->lock);
	dev = ucma->dev;
	if (dev && vrdma_alive(dev))
		err = vrdma_ucma_exec(dev, file, call, flags);
	if (err == -EIO && !(dev && vrdma_alive(dev)))
		err = vrdma_ucma_exec_without(file, call, flags);
	/* The RNIC has gone, and the device will be given up: each id has its event then. */
	if (err == -ENODEV && call->hdr.cmd == RDMA_USER_CM_CMD_GET_EVENT)
		err = -EAGAIN;
	/* vrdma_ucma_fail() may have looked before the command made an id. */
	if (READ_ONCE(ucma->dead) && call->hdr.cmd == RDMA_USER_CM_CMD_CREATE_ID && !err)
		vrdma_ucma_set_readable(file);
	up_read(&ucma->lock);
	up_read(&file->bind_lock);
	return err;
}

static int vrdma_ucma_wait(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call)
{
	if (READ_ONCE(file->readable))
		return 0;
	if (call->nonblocking)
		return -EAGAIN;
	return wait_event_interruptible(file->wait, READ_ONCE(file->readable));
}

/*
 * The file counts as not readable already before GET_EVENT is sent, so that no event which the
 * device reports after that is missed.
 */
static int vrdma_ucma_get_event(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call)
{
	u32 flags = 0;
	int err;

	/* The fields that came after the first version of the structure may be left out. */
	if (call->hdr.out < offsetof(struct rdma_ucm_event_resp, reserved))
		return -ENOSPC;

	do {
		err = vrdma_ucma_wait(file, call);
		if (err)
			return err;
		if (!xchg(&file->readable, false)) {
			err = -EAGAIN;	/* another thread took the event */
			continue;
		}
		err = vrdma_ucma_command(file, call, &flags);
	} while (err == -EAGAIN);

	/* An event that could not be got is still there. */
	if (err || flags & VRDMA_UCMA_MORE_EVENTS)
		vrdma_ucma_set_readable(file);
	return err;
}

/* The file where the id is now must be one of ours, and stays open meanwhile. */
static int vrdma_ucma_migrate(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call)
{
	const struct rdma_ucm_migrate_id *migrate = call->data;
	struct file *filp = fget(migrate->fd);
	struct vrdma_ucma_file *other;
	u32 flags, other_handle;
	bool told, same;
	u64 uid;
	int err;

	if (!filp)
		return -ENOENT;

	err = -EINVAL;
	if (filp->f_op != &vrdma_ucma_fops)
		goto out;
	/* A file without a device has no ids yet. */
	other = filp->private_data;
	down_read(&other->bind_lock);
	same = other->ucma && other->ucma == READ_ONCE(file->ucma);
	other_handle = other->handle;
	up_read(&other->bind_lock);
	if (!same)
		goto out;

	call->other_file = other_handle;
	err = vrdma_ucma_command(file, call, &flags);
	if (!err && other != file && vrdma_ucma_ids_remove(&other->ids, migrate->id, &uid, &told))
		err = vrdma_ucma_ids_add(&file->ids, migrate->id, uid);
out:
	fput(filp);
	return err;
}

/* The file's device is gone, and nothing of the file is left of it.  With file->bind_lock. */
static bool vrdma_ucma_is_over(const struct vrdma_ucma_file *file)
{
	return READ_ONCE(file->ucma->dead) && vrdma_ucma_ids_empty(&file->ids);
}

/* With file->bind_lock for writing.  A file has a device as long as there is no other. */
static int vrdma_ucma_bind_new(struct vrdma_ucma_file *file)
{
	struct vrdma_ucma *ucma = vrdma_ucma_get_any(), *old = file->ucma;
	u32 old_handle = file->handle;
	int err = -ENODEV;

	if (!ucma)
		return err;

	down_read(&ucma->lock);
	if (ucma->dev)
		err = vrdma_ucma_open_half(ucma, file);
	up_read(&ucma->lock);
	if (err) {
		file->handle = old_handle;
		vrdma_ucma_put(ucma);
		return err;
	}

	if (old) {
		xa_erase_irq(&old->files, old_handle);
		vrdma_ucma_put(old);
	}
	WRITE_ONCE(file->ucma, ucma);
	return 0;
}

/* Waiting for an event gives no file another device: programs wait without ids. */
static bool vrdma_ucma_is_bound(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call)
{
	return file->ucma &&
	       (call->hdr.cmd == RDMA_USER_CM_CMD_GET_EVENT || !vrdma_ucma_is_over(file));
}

/* Gives the file a device, if it has none, or no more. */
static int vrdma_ucma_bind(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call)
{
	bool bound;
	int err = 0;

	down_read(&file->bind_lock);
	bound = vrdma_ucma_is_bound(file, call);
	up_read(&file->bind_lock);
	if (bound)
		return 0;

	if (down_write_killable(&file->bind_lock))
		return -EINTR;
	if (!vrdma_ucma_is_bound(file, call))
		err = vrdma_ucma_bind_new(file);
	up_write(&file->bind_lock);
	return err;
}

static int vrdma_ucma_dispatch(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call)
{
	u32 flags;
	int err;

	err = vrdma_ucma_bind(file, call);
	if (err)
		return err;

	switch (call->hdr.cmd) {
	case RDMA_USER_CM_CMD_GET_EVENT:
		return vrdma_ucma_get_event(file, call);
	case RDMA_USER_CM_CMD_MIGRATE_ID:
		return vrdma_ucma_migrate(file, call);
	default:
		return vrdma_ucma_command(file, call, &flags);
	}
}

/* The file's operations */

static ssize_t vrdma_ucma_write(struct file *filp, const char __user *buf, size_t len, loff_t *pos)
{
	struct vrdma_ucma_file *file = filp->private_data;
	struct vrdma_ucma_call call = {
		.other_file = VRDMA_NO_HANDLE,
		.nonblocking = filp->f_flags & O_NONBLOCK,
	};
	int err;

	if (!ib_safe_file_access(filp))
		return -EACCES;

	err = vrdma_ucma_read_call(&call, buf, len);
	if (!err)
		err = vrdma_ucma_dispatch(file, &call);
	if (!err)
		err = vrdma_ucma_give_answer(&call);
	vrdma_ucma_free_call(&call);
	return err ? err : len;
}

static __poll_t vrdma_ucma_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct vrdma_ucma_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	return READ_ONCE(file->readable) ? EPOLLIN | EPOLLRDNORM : 0;
}

/* The first command finds the device: all misc devices wait for this function. */
static int vrdma_ucma_open(struct inode *inode, struct file *filp)
{
	struct vrdma_ucma_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;

	init_rwsem(&file->bind_lock);
	vrdma_ucma_ids_init(&file->ids);
	init_waitqueue_head(&file->wait);
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int vrdma_ucma_release(struct inode *inode, struct file *filp)
{
	struct vrdma_ucma_file *file = filp->private_data;
	struct vrdma_ucma *ucma = file->ucma;

	if (ucma) {
		xa_erase_irq(&ucma->files, file->handle);
		down_read(&ucma->lock);
		if (ucma->dev)
			vrdma_cmd_release(ucma->dev, VRDMA_CMD_UCMA_CLOSE, VRDMA_NO_HANDLE,
					  file->handle, NULL);
		up_read(&ucma->lock);
		vrdma_ucma_put(ucma);
	}
	vrdma_ucma_ids_free(&file->ids);
	kfree(file);
	return 0;
}

const struct file_operations vrdma_ucma_fops = {
	.owner = THIS_MODULE,
	.open = vrdma_ucma_open,
	.release = vrdma_ucma_release,
	.write = vrdma_ucma_write,
	.poll = vrdma_ucma_poll,
};

/* Events of the device for its files */

void vrdma_ucma_event(struct vrdma_dev *dev, u32 handle, enum ib_event_type type)
{
	struct vrdma_ucma *ucma = dev->ucma;
	struct vrdma_ucma_file *file;
	unsigned long flags;

	if (!ucma)
		return;

	xa_lock_irqsave(&ucma->files, flags);
	file = xa_load(&ucma->files, handle);
	if (file)
		vrdma_ucma_set_readable(file);
	xa_unlock_irqrestore(&ucma->files, flags);
}

/* The device has failed: all files with ids have an event. */
void vrdma_ucma_fail(struct vrdma_dev *dev)
{
	struct vrdma_ucma *ucma = dev->ucma;
	struct vrdma_ucma_file *file;
	unsigned long index, flags;

	if (!ucma)
		return;

	WRITE_ONCE(ucma->dead, true);
	xa_lock_irqsave(&ucma->files, flags);
	xa_for_each(&ucma->files, index, file)
		if (!vrdma_ucma_ids_empty(&file->ids))
			vrdma_ucma_set_readable(file);
	xa_unlock_irqrestore(&ucma->files, flags);
}
