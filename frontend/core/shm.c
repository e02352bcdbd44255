// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: what the device has mapped in its shared memory region. */
#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/shm.h"

static int vrdma_mmap_cmd(struct vrdma_dev *dev, struct vrdma_mapping *mapping, u64 offset,
			  u32 *caching)
{
	struct vrdma_rsp_mmap *rsp;
	struct vrdma_cmd_mmap *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MMAP, sizeof(*req), sizeof(*rsp), mapping->uctx, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->offset = cpu_to_le64(offset);
	req->length = cpu_to_le64(mapping->length);

	/* Nothing ends the kernel's user context early, and with it what a killed caller left. */
	if (mapping->uctx == dev->kernel_uctx)
		err = vrdma_cmd_exec(dev, cmd);
	else
		err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		mapping->shm_offset = le64_to_cpu(rsp->shm_offset);
		*caching = le32_to_cpu(rsp->caching);
	}

	vrdma_cmd_put(cmd);
	return err;
}

/* Has the device take a mapping out.  A mapping that stays ends with its user context. */
void vrdma_unmap(struct vrdma_dev *dev, const struct vrdma_mapping *mapping)
{
	struct vrdma_cmd_munmap *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MUNMAP, sizeof(*req), sizeof(struct vrdma_rsp_empty),
			      mapping->uctx, NULL);
	if (IS_ERR(cmd))
		return;		/* the mapping goes with the user context then */

	req = cmd->req;
	req->shm_offset = cpu_to_le64(mapping->shm_offset);
	req->length = cpu_to_le64(mapping->length);

	if (mapping->uctx == dev->kernel_uctx)
		err = vrdma_cmd_exec(dev, cmd);
	else
		err = vrdma_cmd_exec_leaving(dev, cmd);
	if (err && vrdma_alive(dev))
		dev_warn_ratelimited(&dev->vdev->dev, "MUNMAP of %#llx + %#llx failed: %d\n",
				     mapping->shm_offset, mapping->length, err);
	vrdma_cmd_put(cmd);
}

static bool vrdma_mapping_valid(struct vrdma_dev *dev, const struct vrdma_mapping *mapping)
{
	u64 first = mapping->shm_offset;
	u64 last = first + mapping->length - 1;

	return vrdma_shm_range_valid(first, mapping->length) && last < dev->shm.len &&
	       (first >= dev->doorbells_offset + dev->doorbells_length ||
		last < dev->doorbells_offset);
}

/*
 * Has the device map @mapping->length bytes, from @offset of the user context's file on.
 * Sets @mapping->shm_offset, and @caching to a VRDMA_MMAP_*.  A range that is not the device's
 * to give is an -EIO; other errnos are those of vrdma_cmd_exec().
 */
int vrdma_map(struct vrdma_dev *dev, struct vrdma_mapping *mapping, u64 offset, u32 *caching)
{
	int err;

	err = vrdma_mmap_cmd(dev, mapping, offset, caching);
	if (err)
		return err;

	/* The device's granularity may be finer than this kernel's pages. */
	if (vrdma_mapping_valid(dev, mapping) && PAGE_ALIGNED(mapping->shm_offset))
		return 0;
	vrdma_unmap(dev, mapping);
	return -EIO;
}
