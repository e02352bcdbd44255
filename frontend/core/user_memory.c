// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: memory of a user that a command takes along, as runs of guest-physical
 * addresses: that of a region that is registered, and that behind the user's pointers in
 * udata (common/vrdma_udata.h).  The device says which pointers there are.
 */
#include <linux/slab.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/compat.h"
#include "core/dev.h"
#include "core/user_memory.h"
#include "vrdma_udata_memory.h"

static void vrdma_runs_put(struct vrdma_cmd *cmd, size_t offset, u64 gpa, u64 length)
{
	struct vrdma_run *run = vrdma_cmd_payload(cmd, offset);

	run->gpa = cpu_to_le64(gpa);
	run->length = cpu_to_le64(length);
}

/*
 * Returns the number of runs that cover exactly the bytes of @umem, or the byte at which it
 * begins when it has none.  With @cmd, writes them into its payload, from @offset bytes on.
 */
u32 vrdma_runs(struct ib_umem *umem, struct vrdma_cmd *cmd, size_t offset)
{
	u64 skip = ib_umem_offset(umem);
	u64 left = vrdma_region_extent(umem->length);
	u64 gpa = 0, length = 0;
	struct scatterlist *sg;
	unsigned int i;
	u32 count = 0;

	for_each_sgtable_sg(&umem->sgt_append.sgt, sg, i) {
		u64 start = sg_phys(sg) + skip;
		u64 bytes = min_t(u64, sg->length - skip, left);

		skip = 0;
		left -= bytes;
		if (length && gpa + length == start) {
			length += bytes;
			continue;
		}
		if (length && cmd)
			vrdma_runs_put(cmd, offset + count * sizeof(struct vrdma_run), gpa, length);
		if (length)
			count++;
		gpa = start;
		length = bytes;
	}

	if (cmd)
		vrdma_runs_put(cmd, offset + count * sizeof(struct vrdma_run), gpa, length);
	return count + 1;
}

/* The memory behind the pointers of one command. */
struct vrdma_udata_pins {
	u32 count;
	u32 run_count;
	struct {
		struct ib_umem *umem;
		__le16 offset;
		u32 runs;
		bool lasting;
	} pin[VRDMA_MAX_UDATA_REGIONS];
};

static int vrdma_udata_query_one(struct vrdma_dev *dev, u32 index, u32 *count,
				 struct vrdma_udata_pointer *pointer)
{
	struct vrdma_rsp_query_udata_pointer *rsp;
	struct vrdma_cmd_query_udata_pointer *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_QUERY_UDATA_POINTER, sizeof(*req), sizeof(*rsp),
			      VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	req = cmd->req;
	req->index = cpu_to_le32(index);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		*count = le32_to_cpu(rsp->count);
		*pointer = rsp->pointer;
	}

	vrdma_cmd_put(cmd);
	return err;
}

/* Whether the pointer number @index can be served, together with those before it. */
static bool vrdma_udata_known(struct vrdma_dev *dev, u32 index)
{
	const struct vrdma_udata_pointer *pointer = &dev->udata_pointers[index];
	u32 others = 0;
	u32 i;

	if (!vrdma_udata_pointer_valid(pointer))
		return false;
	for (i = 0; i < index; i++) {
		if (dev->udata_pointers[i].opcode != pointer->opcode)
			continue;
		if (dev->udata_pointers[i].offset == pointer->offset)
			return false;
		others++;
	}
	return others < VRDMA_MAX_UDATA_REGIONS;
}

static int vrdma_udata_query_all(struct vrdma_dev *dev)
{
	u32 count, index;
	int err;

	for (index = 0; index < VRDMA_MAX_UDATA_POINTERS; index++) {
		err = vrdma_udata_query_one(dev, index, &count, &dev->udata_pointers[index]);
		if (err == -EOPNOTSUPP)
			break;		/* the device is older than this command */
		if (err)
			return err;
		if (count > VRDMA_MAX_UDATA_POINTERS)
			return -EPROTO;
		if (index >= count)
			break;
		if (!vrdma_udata_known(dev, index))
			return -EPROTO;
	}

	dev->udata_pointer_count = index;
	return 0;
}

/* Asks the device which user pointers there are in its RNIC's udata. */
int vrdma_udata_query(struct vrdma_dev *dev)
{
	int err;

	BUILD_BUG_ON(sizeof(struct vrdma_udata_region) != sizeof(struct vrdma_run));

	err = vrdma_udata_query_all(dev);
	if (err == -EPROTO)
		dev_err(&dev->vdev->dev,
			"the RNIC has user pointers of a kind that this driver does not know: install the driver that belongs to the host's vrdmad\n");
	else if (err == -ENODEV)
		dev_err(&dev->vdev->dev,
			"there is no RNIC behind the device: the log of the host's vrdmad says why\n");
	else if (err)
		dev_err(&dev->vdev->dev,
			"the device does not tell its RNIC's user pointers: %d\n", err);
	return err;
}

/* @umem may be NULL. */
void vrdma_pins_add(struct vrdma_pins *pins, struct ib_umem *umem)
{
	if (umem)
		pins->umem[pins->count++] = umem;
}

/* @to has none yet. */
void vrdma_pins_move(struct vrdma_pins *to, struct vrdma_pins *from)
{
	*to = *from;
	from->count = 0;
	from->more = NULL;
}

/* Adds @from, of another command, to @to.  What @to has had is in @more from here on. */
void vrdma_pins_push(struct vrdma_pins *to, struct vrdma_pins *from, struct vrdma_pins *more)
{
	vrdma_pins_move(more, to);
	vrdma_pins_move(to, from);
	to->more = more;
}

static void vrdma_pins_unpin(struct vrdma_pins *pins)
{
	while (pins->count)
		ib_umem_release(pins->umem[--pins->count]);
}

/* Unpins memory that the device does not use any more. */
void vrdma_pins_release(struct vrdma_pins *pins)
{
	vrdma_pins_unpin(pins);
	while (pins->more) {
		struct vrdma_pins *next = pins->more;

		pins->more = next->more;
		vrdma_pins_unpin(next);
		kfree(next);
	}
}

static int vrdma_udata_pin_one(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			       const struct vrdma_udata_pointer *pointer,
			       const struct vrdma_udata_counts *counts,
			       struct vrdma_udata_pins *pins)
{
	struct ib_umem *umem;
	__u64 start, length;
	int found;

	found = vrdma_udata_memory(pointer, cmd->req + cmd->req_len, cmd->udata_in, counts, &start,
				   &length);
	if (found < 0)
		return -EINVAL;
	if (!found)
		return 0;

	umem = ib_umem_get_va(&dev->ibdev, start, length, IB_ACCESS_LOCAL_WRITE);
	if (IS_ERR(umem))
		return PTR_ERR(umem);

	pins->pin[pins->count].umem = umem;
	pins->pin[pins->count].offset = pointer->offset;
	pins->pin[pins->count].runs = vrdma_runs(umem, NULL, 0);
	pins->pin[pins->count].lasting =
		pointer->flags & cpu_to_le32(VRDMA_UDATA_POINTER_LASTING);
	pins->run_count += pins->pin[pins->count].runs;
	pins->count++;
	return 0;
}

static int vrdma_udata_pin(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			   const struct vrdma_udata_counts *counts, struct vrdma_udata_pins *pins)
{
	const struct vrdma_cmd_hdr *hdr = cmd->req;
	u32 i;
	int err;

	for (i = 0; i < dev->udata_pointer_count; i++) {
		if (dev->udata_pointers[i].opcode != hdr->opcode)
			continue;
		err = vrdma_udata_pin_one(dev, cmd, &dev->udata_pointers[i], counts, pins);
		if (err)
			return err;
	}
	return 0;
}

/* The payload is the regions, their runs, and the runs of the memory region. */
static int vrdma_udata_add_payload(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
				   const struct vrdma_udata_pins *pins)
{
	u64 run_count = (u64)pins->run_count + cmd->run_count;
	struct vrdma_cmd_hdr *hdr = cmd->req;
	size_t run_at;
	u32 i;
	int err;

	if (run_count > dev->max_mr_runs) {
		dev_warn_ratelimited(&dev->vdev->dev,
				     "command %#x with memory of %llu runs, the device takes %u: use huge pages\n",
				     le16_to_cpu(hdr->opcode), run_count, dev->max_mr_runs);
		return -ENOMEM;
	}

	run_at = pins->count * sizeof(struct vrdma_udata_region);
	err = vrdma_cmd_add_payload(dev, cmd, run_at + run_count * sizeof(struct vrdma_run));
	if (err)
		return err;

	hdr->region_count = cpu_to_le16(pins->count);
	for (i = 0; i < pins->count; i++) {
		struct vrdma_udata_region *region =
			vrdma_cmd_payload(cmd, i * sizeof(struct vrdma_udata_region));

		region->offset = pins->pin[i].offset;
		region->reserved = 0;
		region->run_count = cpu_to_le32(pins->pin[i].runs);
		region->length = cpu_to_le64(pins->pin[i].umem->length);
		vrdma_runs(pins->pin[i].umem, cmd, run_at);
		run_at += pins->pin[i].runs * sizeof(struct vrdma_run);
	}
	if (cmd->run_count)
		vrdma_runs(cmd->umem, cmd, run_at);
	return 0;
}

/* The memory is the command's as long as the device may use it: also when the caller is killed. */
static int vrdma_udata_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			    const struct vrdma_udata_pins *pins)
{
	u32 i;
	int err;

	for (i = 0; i < pins->count; i++)
		vrdma_pins_add(&cmd->pins, pins->pin[i].umem);
	vrdma_pins_add(&cmd->pins, cmd->umem);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!cmd->abandoned)
		cmd->pins.count = 0;
	return err;
}

/*
 * Executes @cmd with the user's memory: that behind the pointers in its udata, the length of
 * which may depend on @counts (NULL: all zero), and @cmd->umem.  Memory that the object which
 * @cmd creates or changes goes on using is handed over in @lasting.  Returns an error of
 * ib_umem_get_va(), of vrdma_cmd_exec_killable(), or -ENOMEM for more runs than the device takes.
 * @cmd->umem is not the caller's any more when the command is abandoned.
 */
int vrdma_cmd_exec_user(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			const struct vrdma_udata_counts *counts, struct vrdma_pins *lasting)
{
	static const struct vrdma_udata_counts no_counts;
	struct vrdma_udata_pins pins = {};
	u32 i;
	int err;

	if (cmd->kernel)
		return vrdma_cmd_exec(dev, cmd);

	err = vrdma_udata_pin(dev, cmd, counts ? counts : &no_counts, &pins);
	if (!err && (pins.count || cmd->run_count))
		err = vrdma_udata_add_payload(dev, cmd, &pins);
	if (!err)
		err = vrdma_udata_exec(dev, cmd, &pins);
	if (cmd->abandoned)
		return err;

	for (i = 0; i < pins.count; i++) {
		if (!err && pins.pin[i].lasting)
			vrdma_pins_add(lasting, pins.pin[i].umem);
		else
			ib_umem_release(pins.pin[i].umem);
	}
	return err;
}
