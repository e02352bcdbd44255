// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: files of /dev/infiniband/rdma_cm.
 *
 * Each file has another half at the device, where the RNIC's connection manager is.  Commands
 * are carried there as the user wrote them; only their pointers (<rdma/rdma_user_cm.h>) are
 * looked at here.  GET_EVENT does not wait at the device: waiting is done here.
 *
 * A file may outlive the device.  Its commands fail with -EIO then.  Commands that destroy
 * something succeed, since nothing is left of it.
 */
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <rdma/ib.h>
#include <rdma/rdma_user_cm.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/objects.h"
#include "ucma/file.h"
#include "ucma/ucma.h"

struct vrdma_ucma_file {
	struct vrdma_ucma *ucma;	/* set once; see vrdma_ucma_of() */
	struct mutex bind_lock;		/* taken to set ucma */
	wait_queue_head_t wait;
	bool readable;			/* the device may have an event */
	u32 handle;
};

/* One write(): the header of its command, and a copy of the command's structure. */
struct vrdma_ucma_call {
	struct rdma_ucm_cmd_hdr hdr;
	void *data;
	void __user *response;		/* NULL for a command without a response */
	u32 other_file;
	bool nonblocking;
};

#define VRDMA_UCMA_RESPONDS(type) \
	{ offsetofend(type, response), offsetof(type, response) }
#define VRDMA_UCMA_SILENT	{ 0, -1 }

static const struct {
	u16 min_in;			/* bytes of a structure that has its pointer */
	s16 response;			/* offset of the response pointer, -1 for none */
} vrdma_ucma_commands[] = {
	[RDMA_USER_CM_CMD_CREATE_ID] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_create_id),
	[RDMA_USER_CM_CMD_DESTROY_ID] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_destroy_id),
	[RDMA_USER_CM_CMD_BIND_IP] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_RESOLVE_IP] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_RESOLVE_ROUTE] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_QUERY_ROUTE] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_query),
	[RDMA_USER_CM_CMD_CONNECT] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_LISTEN] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_ACCEPT] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_REJECT] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_DISCONNECT] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_INIT_QP_ATTR] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_init_qp_attr),
	[RDMA_USER_CM_CMD_GET_EVENT] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_get_event),
	[RDMA_USER_CM_CMD_GET_OPTION] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_SET_OPTION] = { sizeof(struct rdma_ucm_set_option), -1 },
	[RDMA_USER_CM_CMD_NOTIFY] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_JOIN_IP_MCAST] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_join_ip_mcast),
	[RDMA_USER_CM_CMD_LEAVE_MCAST] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_destroy_id),
	[RDMA_USER_CM_CMD_MIGRATE_ID] = { sizeof(struct rdma_ucm_migrate_id),
					  offsetof(struct rdma_ucm_migrate_id, response) },
	[RDMA_USER_CM_CMD_QUERY] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_query),
	[RDMA_USER_CM_CMD_BIND] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_RESOLVE_ADDR] = VRDMA_UCMA_SILENT,
	[RDMA_USER_CM_CMD_JOIN_MCAST] = VRDMA_UCMA_RESPONDS(struct rdma_ucm_join_mcast),
};

/* Returns the file's device, NULL before its first command.  The file's handle is set then. */
static struct vrdma_ucma *vrdma_ucma_of(const struct vrdma_ucma_file *file)
{
	/* Pairs with the release in vrdma_ucma_bind(). */
	return smp_load_acquire(&file->ucma);
}

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
	const struct rdma_ucm_set_option *option = call->data;
	u32 limit = min_t(u32, dev->max_udata, U16_MAX), value = 0;
	struct vrdma_cmd_ucma_command *req;
	struct vrdma_cmd *cmd;

	if (call->hdr.cmd == RDMA_USER_CM_CMD_SET_OPTION)
		value = option->optlen;
	if (call->hdr.in > limit || value > limit - call->hdr.in)
		return ERR_PTR(-EINVAL);

	cmd = vrdma_cmd_alloc_room(dev, VRDMA_CMD_UCMA_COMMAND, sizeof(*req),
				   sizeof(struct vrdma_rsp_ucma_command), call->hdr.in + value,
				   call->response ? min_t(u32, call->hdr.out, limit) : 0);
	if (!cmd)
		return ERR_PTR(-ENOMEM);

	req = cmd->req;
	req->file = cpu_to_le32(file->handle);
	req->command = cpu_to_le32(call->hdr.cmd);
	req->other_file = cpu_to_le32(call->other_file);
	memcpy(cmd->req + sizeof(*req), call->data, call->hdr.in);
	if (value && copy_from_user(cmd->req + sizeof(*req) + call->hdr.in,
				    u64_to_user_ptr(option->optval), value)) {
		vrdma_cmd_put(cmd);
		return ERR_PTR(-EFAULT);
	}

	return cmd;
}

static int vrdma_ucma_exec(struct vrdma_dev *dev, struct vrdma_ucma_file *file,
			   const struct vrdma_ucma_call *call, u32 *flags)
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
		if (copy_to_user(call->response, cmd->rsp + cmd->rsp_len,
				 le32_to_cpu(rsp->hdr.udata_len)))
			err = -EFAULT;
	}
	vrdma_cmd_put(cmd);
	return err;
}

/* Without a device, an object to be destroyed is gone, and had no events. */
static int vrdma_ucma_exec_without(const struct vrdma_ucma_call *call)
{
	struct rdma_ucm_destroy_id_resp rsp = {};

	if (call->hdr.cmd != RDMA_USER_CM_CMD_DESTROY_ID &&
	    call->hdr.cmd != RDMA_USER_CM_CMD_LEAVE_MCAST)
		return -EIO;
	if (call->hdr.out < sizeof(rsp))
		return -ENOSPC;
	return copy_to_user(call->response, &rsp, sizeof(rsp)) ? -EFAULT : 0;
}

/* Commands.  The functions from here on are called without ucma->lock. */

static int vrdma_ucma_command(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call,
			      u32 *flags)
{
	struct vrdma_ucma *ucma = file->ucma;
	struct vrdma_dev *dev;
	int err;

	down_read(&ucma->lock);
	dev = ucma->dev;
	if (dev && vrdma_alive(dev))
		err = vrdma_ucma_exec(dev, file, call, flags);
	else
		err = vrdma_ucma_exec_without(call);
	up_read(&ucma->lock);
	return err;
}

static int vrdma_ucma_wait(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call)
{
	struct vrdma_ucma *ucma = file->ucma;

	if (READ_ONCE(ucma->dead))
		return -EIO;
	if (READ_ONCE(file->readable))
		return 0;
	if (call->nonblocking)
		return -EAGAIN;
	return wait_event_interruptible(file->wait, READ_ONCE(file->readable) ||
						    READ_ONCE(ucma->dead));
}

static void vrdma_ucma_set_readable(struct vrdma_ucma_file *file)
{
	WRITE_ONCE(file->readable, true);
	wake_up_interruptible(&file->wait);
}

/*
 * The file counts as not readable already before GET_EVENT is sent, so that no event which the
 * device reports after that is missed.
 */
static int vrdma_ucma_get_event(struct vrdma_ucma_file *file, const struct vrdma_ucma_call *call)
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
	u32 flags;
	int err;

	if (!filp)
		return -ENOENT;

	err = -EINVAL;
	if (filp->f_op != &vrdma_ucma_fops)
		goto out;
	/* A file without a device has no ids yet. */
	other = filp->private_data;
	if (vrdma_ucma_of(other) != file->ucma)
		goto out;

	call->other_file = other->handle;
	err = vrdma_ucma_command(file, call, &flags);
out:
	fput(filp);
	return err;
}

static int vrdma_ucma_bind(struct vrdma_ucma_file *file)
{
	struct vrdma_ucma *ucma;
	int err = 0;

	if (vrdma_ucma_of(file))
		return 0;

	if (mutex_lock_killable(&file->bind_lock))
		return -EINTR;
	if (file->ucma)
		goto out;

	err = -ENODEV;
	ucma = vrdma_ucma_get_any();
	if (!ucma)
		goto out;

	down_read(&ucma->lock);
	if (ucma->dev)
		err = vrdma_ucma_open_half(ucma, file);
	up_read(&ucma->lock);

	if (err)
		vrdma_ucma_put(ucma);
	else
		smp_store_release(&file->ucma, ucma);	/* pairs with vrdma_ucma_of() */
out:
	mutex_unlock(&file->bind_lock);
	return err;
}

static int vrdma_ucma_dispatch(struct vrdma_ucma_file *file, struct vrdma_ucma_call *call)
{
	u32 flags;
	int err;

	err = vrdma_ucma_bind(file);
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
	s16 response;
	int err;

	if (!ib_safe_file_access(filp))
		return -EACCES;
	if (len < sizeof(call.hdr))
		return -EINVAL;
	if (copy_from_user(&call.hdr, buf, sizeof(call.hdr)))
		return -EFAULT;
	if (call.hdr.cmd >= ARRAY_SIZE(vrdma_ucma_commands) || call.hdr.in > len - sizeof(call.hdr))
		return -EINVAL;
	call.hdr.cmd = array_index_nospec(call.hdr.cmd, ARRAY_SIZE(vrdma_ucma_commands));
	if (call.hdr.in < vrdma_ucma_commands[call.hdr.cmd].min_in)
		return -EINVAL;
	/* The value of the option goes right behind the structure. */
	if (call.hdr.cmd == RDMA_USER_CM_CMD_SET_OPTION)
		call.hdr.in = sizeof(struct rdma_ucm_set_option);

	call.data = memdup_user(buf + sizeof(call.hdr), call.hdr.in);
	if (IS_ERR(call.data))
		return PTR_ERR(call.data);
	response = vrdma_ucma_commands[call.hdr.cmd].response;
	if (response >= 0)
		call.response = u64_to_user_ptr(*(u64 *)(call.data + response));

	err = vrdma_ucma_dispatch(file, &call);
	kfree(call.data);
	return err ? err : len;
}

static __poll_t vrdma_ucma_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct vrdma_ucma_file *file = filp->private_data;
	struct vrdma_ucma *ucma = vrdma_ucma_of(file);
	__poll_t mask = 0;

	poll_wait(filp, &file->wait, wait);

	if (READ_ONCE(file->readable))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (ucma && READ_ONCE(ucma->dead))
		mask |= EPOLLERR | EPOLLHUP;
	return mask;
}

/* The first command finds the device: all misc devices wait for this function. */
static int vrdma_ucma_open(struct inode *inode, struct file *filp)
{
	struct vrdma_ucma_file *file = kzalloc(sizeof(*file), GFP_KERNEL);

	if (!file)
		return -ENOMEM;

	mutex_init(&file->bind_lock);
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

/* Says to all that wait for an event that the device has failed. */
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
		wake_up_interruptible(&file->wait);
	xa_unlock_irqrestore(&ucma->files, flags);
}
