// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: what a write() to a file of /dev/infiniband/rdma_cm reads from the user and
 * writes to the user.
 *
 * Both are done without any lock.  A process decides how long a copy takes (userfaultfd, FUSE), and
 * the removal of the device waits for the locks of the files.
 */
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ucma/call.h"

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

/* Reads what the user has written.  vrdma_ucma_free_call() frees it, whatever this returns. */
int vrdma_ucma_read_call(struct vrdma_ucma_call *call, const char __user *buf, size_t len)
{
	const struct rdma_ucm_set_option *option;
	s16 response;

	if (len < sizeof(call->hdr))
		return -EINVAL;
	if (copy_from_user(&call->hdr, buf, sizeof(call->hdr)))
		return -EFAULT;
	if (call->hdr.cmd >= ARRAY_SIZE(vrdma_ucma_commands) ||
	    call->hdr.in > len - sizeof(call->hdr))
		return -EINVAL;
	call->hdr.cmd = array_index_nospec(call->hdr.cmd, ARRAY_SIZE(vrdma_ucma_commands));
	if (call->hdr.in < vrdma_ucma_commands[call->hdr.cmd].min_in)
		return -EINVAL;
	/* The value of the option goes right behind the structure. */
	if (call->hdr.cmd == RDMA_USER_CM_CMD_SET_OPTION)
		call->hdr.in = sizeof(*option);

	call->data = memdup_user(buf + sizeof(call->hdr), call->hdr.in);
	if (IS_ERR(call->data))
		return PTR_ERR(call->data);

	if (call->hdr.cmd == RDMA_USER_CM_CMD_SET_OPTION) {
		option = call->data;
		if (option->optlen > VRDMA_UCMA_MAX_COPY)
			return -EINVAL;
		call->value = memdup_user(u64_to_user_ptr(option->optval), option->optlen);
		if (IS_ERR(call->value))
			return PTR_ERR(call->value);
		call->value_len = option->optlen;
	}

	response = vrdma_ucma_commands[call->hdr.cmd].response;
	if (response >= 0)
		call->response = u64_to_user_ptr(*(u64 *)(call->data + response));
	if (call->response && call->hdr.out) {
		call->answer_room = min_t(u32, call->hdr.out, VRDMA_UCMA_MAX_COPY);
		call->answer = kmalloc(call->answer_room, GFP_KERNEL);
		if (!call->answer)
			return -ENOMEM;
	}
	return 0;
}

/* Keeps for the user what fits into the user's structure. */
void vrdma_ucma_set_answer(struct vrdma_ucma_call *call, const void *answer, u32 length)
{
	call->answer_len = min(length, call->answer_room);
	if (call->answer_len)
		memcpy(call->answer, answer, call->answer_len);
}

int vrdma_ucma_give_answer(const struct vrdma_ucma_call *call)
{
	if (!call->answer_len)
		return 0;
	return copy_to_user(call->response, call->answer, call->answer_len) ? -EFAULT : 0;
}

void vrdma_ucma_free_call(struct vrdma_ucma_call *call)
{
	kfree(call->answer);
	if (!IS_ERR(call->value))
		kfree(call->value);
	if (!IS_ERR(call->data))
		kfree(call->data);
}
