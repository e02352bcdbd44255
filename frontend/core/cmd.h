/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/*
 * vrdma guest driver: a command.  A caller allocates one, fills in the request behind its
 * header, executes it (core/cmdq.h, core/user_memory.h), reads the response and drops it.
 */
#ifndef VRDMA_CORE_CMD_H
#define VRDMA_CORE_CMD_H

#include <linux/completion.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/scatterlist.h>

#include "core/user_memory.h"

struct ib_udata;
struct ib_umem;
struct vrdma_dev;

struct vrdma_cmd {
	struct kref ref;		/* the caller has one, and controlq another */
	struct completion done;
	struct list_head entry;		/* in cmdq->waiting or cmdq->abandoned */
	bool ended;			/* answered, or the device was reset; under cmdq->lock */
	bool abandoned;			/* the caller has left: core/abandoned.c ends it */
	bool releases;			/* a command that releases what uses @pins, or makes it */
	u16 undo;			/* opcode that releases what no user context has, or 0 */
	struct vrdma_pins pins;		/* memory that the device may use until the command ends */
	int err;			/* the device did not execute it */
	u32 used;			/* bytes that the device says it wrote */
	u32 req_len;
	u32 rsp_len;
	bool kernel;			/* has no udata; its caller cannot be killed */
	u16 udata_in;
	u16 udata_out;
	void *req;			/* read by the device */
	void *reply;			/* written by the device */
	void *rsp;			/* the reply once it is checked: ours alone */
	struct ib_umem *umem;		/* REG_MR, REREG_MR: memory of the region */
	u32 run_count;			/* number of runs of umem */
	struct scatterlist *payload_sg;	/* one more entry than there are chunks */
	void **chunks;
	u32 chunk_count;
	u32 chunk_size;
};

struct vrdma_cmd *vrdma_cmd_alloc(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				  u32 uctx, struct ib_udata *udata);
struct vrdma_cmd *vrdma_cmd_alloc_room(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				       u16 udata_in, u16 udata_out);
struct vrdma_cmd *vrdma_cmd_alloc_verb(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				       u32 uctx, struct ib_udata *udata, u32 answer_len);
struct vrdma_cmd *vrdma_cmd_alloc_release(u16 opcode, u32 uctx, u32 handle);
int vrdma_cmd_add_payload(struct vrdma_dev *dev, struct vrdma_cmd *cmd, size_t length);
void *vrdma_cmd_payload(struct vrdma_cmd *cmd, size_t offset);
int vrdma_cmd_copy_udata(struct vrdma_cmd *cmd, struct ib_udata *udata);
int vrdma_cmd_copy_answer(struct vrdma_cmd *cmd, struct ib_udata *udata, void *answer, u32 length);
void vrdma_cmd_put(struct vrdma_cmd *cmd);

#endif /* VRDMA_CORE_CMD_H */
