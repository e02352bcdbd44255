// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: commands, from their allocation to their answer. */
#include <linux/sizes.h>
#include <linux/slab.h>

#include "core/cmd.h"
#include "core/dev.h"

#define VRDMA_CMD_CHUNK_SIZE		SZ_32K

static void vrdma_cmd_free(struct kref *ref)
{
	struct vrdma_cmd *cmd = container_of(ref, struct vrdma_cmd, ref);
	u32 i;

	for (i = 0; i < cmd->chunk_count; i++)
		kfree(cmd->chunks[i]);
	kfree(cmd->chunks);
	kfree(cmd->payload_sg);
	kfree(cmd->rsp);
	kfree(cmd->reply);
	kfree(cmd->req);
	kfree(cmd);
}

void vrdma_cmd_put(struct vrdma_cmd *cmd)
{
	kref_put(&cmd->ref, vrdma_cmd_free);
}

static struct vrdma_cmd *vrdma_cmd_alloc_gfp(u32 req_len, u32 udata_in, u32 rsp_len, u32 udata_out,
					     gfp_t gfp)
{
	struct vrdma_cmd *cmd;

	cmd = kzalloc(sizeof(*cmd), gfp);
	if (!cmd)
		return NULL;

	kref_init(&cmd->ref);
	init_completion(&cmd->done);
	INIT_LIST_HEAD(&cmd->entry);
	cmd->req_len = req_len;
	cmd->rsp_len = rsp_len;
	cmd->udata_in = udata_in;
	cmd->udata_out = udata_out;

	cmd->req = kzalloc(req_len + udata_in, gfp);
	cmd->reply = kzalloc(rsp_len + udata_out, gfp);
	cmd->rsp = kzalloc(rsp_len + udata_out, gfp);
	if (!cmd->req || !cmd->reply || !cmd->rsp) {
		vrdma_cmd_put(cmd);
		return NULL;
	}

	return cmd;
}

static void vrdma_cmd_fill_header(struct vrdma_cmd *cmd, u16 opcode, u32 uctx)
{
	struct vrdma_cmd_hdr *hdr = cmd->req;

	hdr->opcode = cpu_to_le16(opcode);
	hdr->length = cpu_to_le32(cmd->req_len);
	hdr->uctx = cpu_to_le32(uctx);
	hdr->udata_in_len = cpu_to_le16(cmd->udata_in);
	hdr->udata_out_len = cpu_to_le16(cmd->udata_out);
}

/*
 * A command with @req_len bytes of request and room for @rsp_len bytes of response.  With
 * @udata, what the user's library passed goes behind the request.  Returns an ERR_PTR():
 * -EINVAL for more udata than the device takes.
 */
struct vrdma_cmd *vrdma_cmd_alloc(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				  u32 uctx, struct ib_udata *udata)
{
	u32 limit = min_t(u32, dev->max_udata, U16_MAX);
	u32 udata_out = udata ? min_t(size_t, udata->outlen, limit) : 0;
	u32 udata_in = udata ? udata->inlen : 0;
	struct vrdma_cmd *cmd;
	int err;

	if (udata_in > limit)
		return ERR_PTR(-EINVAL);

	cmd = vrdma_cmd_alloc_gfp(req_len, udata_in, rsp_len, udata_out, GFP_KERNEL);
	if (!cmd)
		return ERR_PTR(-ENOMEM);

	cmd->kernel = !udata;
	vrdma_cmd_fill_header(cmd, opcode, uctx);
	if (udata_in) {
		err = ib_copy_from_udata(cmd->req + req_len, udata, udata_in);
		if (err) {
			vrdma_cmd_put(cmd);
			return ERR_PTR(err);
		}
	}

	return cmd;
}

/* As vrdma_cmd_alloc(), with room for udata that the caller puts there.  NULL: no memory. */
struct vrdma_cmd *vrdma_cmd_alloc_room(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				       u16 udata_in, u16 udata_out)
{
	struct vrdma_cmd *cmd = vrdma_cmd_alloc_gfp(req_len, udata_in, rsp_len, udata_out,
						    GFP_KERNEL);

	if (cmd)
		vrdma_cmd_fill_header(cmd, opcode, VRDMA_NO_HANDLE);
	return cmd;
}

/*
 * As vrdma_cmd_alloc(), for a verb of a user, with @udata, or of the kernel.  The kernel asks
 * for @answer_len bytes of what the device answers to the user's library; see
 * vrdma_cmd_copy_answer().
 */
struct vrdma_cmd *vrdma_cmd_alloc_verb(struct vrdma_dev *dev, u16 opcode, u32 req_len, u32 rsp_len,
				       u32 uctx, struct ib_udata *udata, u32 answer_len)
{
	struct vrdma_cmd *cmd;

	if (udata)
		return vrdma_cmd_alloc(dev, opcode, req_len, rsp_len, uctx, udata);
	if (answer_len > dev->max_udata)
		return ERR_PTR(-EOPNOTSUPP);

	cmd = vrdma_cmd_alloc_gfp(req_len, 0, rsp_len, answer_len, GFP_KERNEL);
	if (!cmd)
		return ERR_PTR(-ENOMEM);
	cmd->kernel = true;
	vrdma_cmd_fill_header(cmd, opcode, uctx);
	return cmd;
}

/* A command that carries @handle only, to release it.  There is always memory for it. */
struct vrdma_cmd *vrdma_cmd_alloc_release(u16 opcode, u32 uctx, u32 handle)
{
	struct vrdma_cmd_handle *req;
	struct vrdma_cmd *cmd;

	cmd = vrdma_cmd_alloc_gfp(sizeof(*req), 0, sizeof(struct vrdma_rsp_empty), 0,
				  GFP_KERNEL | __GFP_NOFAIL);
	vrdma_cmd_fill_header(cmd, opcode, uctx);
	cmd->releases = true;
	req = cmd->req;
	req->handle = cpu_to_le32(handle);
	return cmd;
}

/*
 * Makes room for @length more device-readable bytes.  A chain must not be longer than the
 * queue, indirect or not (virtio 1.2, 2.7.5.3.1), so a large payload takes larger chunks
 * rather than more.
 */
int vrdma_cmd_add_payload(struct vrdma_dev *dev, struct vrdma_cmd *cmd, size_t length)
{
	u32 max_chunks = virtqueue_get_vring_size(dev->cmdq.vq) - 2;
	size_t chunk_size;
	u32 count, i;

	chunk_size = max_t(size_t, VRDMA_CMD_CHUNK_SIZE,
			   roundup_pow_of_two(DIV_ROUND_UP(length, max_chunks)));
	if (chunk_size > KMALLOC_MAX_SIZE)
		return -ENOMEM;
	count = DIV_ROUND_UP(length, chunk_size);

	cmd->chunk_size = chunk_size;
	cmd->chunks = kcalloc(count, sizeof(*cmd->chunks), GFP_KERNEL);
	cmd->payload_sg = kcalloc(count + 1, sizeof(*cmd->payload_sg), GFP_KERNEL);
	if (!cmd->chunks || !cmd->payload_sg)
		return -ENOMEM;

	sg_init_table(cmd->payload_sg, count + 1);
	for (i = 0; i < count; i++) {
		size_t bytes = min(length, chunk_size);

		cmd->chunks[i] = kmalloc(bytes, GFP_KERNEL);
		if (!cmd->chunks[i])
			return -ENOMEM;
		cmd->chunk_count++;
		sg_set_buf(&cmd->payload_sg[i + 1], cmd->chunks[i], bytes);
		length -= bytes;
	}

	return 0;
}

/* Returns the place of byte @offset of the payload; entries do not straddle chunks. */
void *vrdma_cmd_payload(struct vrdma_cmd *cmd, size_t offset)
{
	return cmd->chunks[offset / cmd->chunk_size] + offset % cmd->chunk_size;
}

/* Copies the device's answer to the user's library to the user. */
int vrdma_cmd_copy_udata(struct vrdma_cmd *cmd, struct ib_udata *udata)
{
	const struct vrdma_rsp_hdr *rsp = cmd->rsp;
	u32 length = le32_to_cpu(rsp->udata_len);

	return length ? ib_copy_to_udata(udata, cmd->rsp + cmd->rsp_len, length) : 0;
}

/*
 * The device's answer to the user's library goes to the user, with @udata, or to @answer, for
 * the kernel.  Returns -EIO when the kernel's answer is shorter than @length bytes.
 */
int vrdma_cmd_copy_answer(struct vrdma_cmd *cmd, struct ib_udata *udata, void *answer, u32 length)
{
	const struct vrdma_rsp_hdr *rsp = cmd->rsp;

	if (udata)
		return vrdma_cmd_copy_udata(cmd, udata);
	if (le32_to_cpu(rsp->udata_len) < length)
		return -EIO;
	memcpy(answer, cmd->rsp + cmd->rsp_len, length);
	return 0;
}

