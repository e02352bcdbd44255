/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: one write() to a file of /dev/infiniband/rdma_cm. */
#ifndef VRDMA_UCMA_CALL_H
#define VRDMA_UCMA_CALL_H

#include <linux/types.h>
#include <rdma/rdma_user_cm.h>

/* The largest structure, option or answer that is carried. */
#define VRDMA_UCMA_MAX_COPY	U16_MAX

/* The header of its command, and copies of what the user wrote and will read. */
struct vrdma_ucma_call {
	struct rdma_ucm_cmd_hdr hdr;
	void *data;			/* the command's structure */
	void *value;			/* of SET_OPTION */
	u32 value_len;
	void __user *response;		/* NULL for a command without a response */
	void *answer;			/* what goes there, or NULL */
	u32 answer_room;
	u32 answer_len;
	u32 other_file;
	bool nonblocking;
};

int vrdma_ucma_read_call(struct vrdma_ucma_call *call, const char __user *buf, size_t len);
void vrdma_ucma_set_answer(struct vrdma_ucma_call *call, const void *answer, u32 length);
int vrdma_ucma_give_answer(const struct vrdma_ucma_call *call);
void vrdma_ucma_free_call(struct vrdma_ucma_call *call);

#endif /* VRDMA_UCMA_CALL_H */
