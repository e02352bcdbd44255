/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Commands on controlq.  A caller allocates one, fills in the request behind
 * its header, executes it, reads the response and drops it.
 */
#ifndef VRDMA_CMD_H
#define VRDMA_CMD_H

#include <linux/kref.h>
#include <linux/scatterlist.h>

#include "core/dev.h"

struct vrdma_udata_counts;

struct vrdma_cmd {
	struct kref ref;		/* the caller's, and the ring's */
	struct completion done;
	int err;
	u32 used;			/* bytes that the device says it wrote */
	u32 req_len;
	u32 rsp_len;
	bool kernel;			/* without udata; its caller cannot be killed */
	u16 udata_in;
	u16 udata_out;
	void *req;			/* read by the device */
	void *reply;			/* written by the device */
	void *rsp;			/* the reply once it is checked: ours alone */
	struct ib_umem *umem;		/* REG_MR: the region, */
	u32 run_count;			/* and how many runs it has */
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
int vrdma_cmd_add_payload(struct vrdma_dev *dev, struct vrdma_cmd *cmd, size_t length);
void *vrdma_cmd_payload(struct vrdma_cmd *cmd, size_t offset);
void vrdma_cmd_put(struct vrdma_cmd *cmd);

int vrdma_cmd_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
int vrdma_cmd_exec_killable(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
int vrdma_cmd_exec_user(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			const struct vrdma_udata_counts *counts, struct vrdma_pins *lasting);
int vrdma_cmd_copy_udata(struct vrdma_cmd *cmd, struct ib_udata *udata);
int vrdma_cmd_copy_answer(struct vrdma_cmd *cmd, struct ib_udata *udata, void *answer, u32 length);

/* Commands that carry nothing but a handle, one way or the other. */
int vrdma_cmd_acquire(struct vrdma_dev *dev, u16 opcode, u16 undo, u32 uctx,
		      struct ib_udata *udata, u32 *handle);
int vrdma_cmd_release(struct vrdma_dev *dev, u16 opcode, u32 uctx, u32 handle);

u32 vrdma_runs(struct ib_umem *umem, struct vrdma_cmd *cmd, size_t offset);

void vrdma_cmdq_init(struct vrdma_dev *dev);
void vrdma_cmdq_callback(struct virtqueue *vq);
bool vrdma_cmdq_stop(struct vrdma_dev *dev);

#endif /* VRDMA_CMD_H */
