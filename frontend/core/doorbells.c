// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the doorbell area (common/vrdma_doorbell.h). */
#include <linux/io.h>

#include "core/cmd.h"
#include "core/cmdq.h"
#include "core/dev.h"
#include "core/doorbells.h"

/*
 * The other side is a thread on the host.  An x86 kernel that finds one processor only patches
 * the lock prefixes out of set_bit(); hypervisor interfaces use sync_set_bit(), whose prefix
 * stays.
 */
#ifdef CONFIG_X86
#include <asm/sync_bitops.h>
#define vrdma_set_bit(nr, words)	sync_set_bit(nr, (unsigned long __force *)(words))
#else
#define vrdma_set_bit(nr, words)	set_bit_le(nr, (void __force *)(words))
#endif

static int vrdma_doorbells_query(struct vrdma_dev *dev)
{
	struct vrdma_rsp_map_doorbells *rsp;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MAP_DOORBELLS, sizeof(struct vrdma_cmd_empty),
			      sizeof(*rsp), VRDMA_NO_HANDLE, NULL);
	if (IS_ERR(cmd))
		return PTR_ERR(cmd);

	err = vrdma_cmd_exec_killable(dev, cmd);
	if (!err) {
		rsp = cmd->rsp;
		dev->doorbells_offset = le64_to_cpu(rsp->shm_offset);
		dev->doorbells_length = le64_to_cpu(rsp->length);
	}

	vrdma_cmd_put(cmd);
	return err;
}

/* Maps the doorbell area.  Returns -EIO for an area outside the shared memory region. */
int vrdma_doorbells_map(struct vrdma_dev *dev)
{
	u64 offset, length;
	int err;

	err = vrdma_doorbells_query(dev);
	if (err) {
		dev_err(&dev->vdev->dev, "the device cannot map its doorbells: %d\n", err);
		return err;
	}

	offset = dev->doorbells_offset;
	length = dev->doorbells_length;
	if (!vrdma_shm_range_valid(offset, length) ||
	    length < sizeof(*dev->doorbells) || offset + length - 1 >= dev->shm.len) {
		dev_err(&dev->vdev->dev,
			"doorbells at %#llx + %#llx are not in the shared memory region of %#llx bytes\n",
			offset, length, dev->shm.len);
		return -EIO;
	}

	dev->doorbells = memremap(dev->shm.addr + offset, sizeof(*dev->doorbells), MEMREMAP_WB);
	return dev->doorbells ? 0 : -ENOMEM;
}

void vrdma_doorbells_unmap(struct vrdma_dev *dev)
{
	memunmap(dev->doorbells);
}

static void vrdma_doorbell(struct vrdma_dev *dev, struct vrdma_doorbell_bitmap *bitmap, u32 handle)
{
	const u32 word = handle / VRDMA_DB_BITS_PER_WORD;

	/*
	 * The three barriers pair with the device's exchanges, which go the other way: root,
	 * summary, bits, and then the queue itself.  This one: the entries come before the bit.
	 */
	virt_wmb();
	vrdma_set_bit(handle, bitmap->bits);
	/* The bit comes before its word's bit in the summary. */
	virt_wmb();
	vrdma_set_bit(word, bitmap->summary);
	/* The summary's bit comes before the root's. */
	virt_wmb();
	vrdma_set_bit(word / VRDMA_DB_BITS_PER_WORD, &bitmap->root);

	/* Pairs with the barrier between the device's polling = 0 and its last look. */
	virt_mb();
	if (!READ_ONCE(dev->doorbells->polling))
		virtqueue_notify(dev->doorbellq);
}

/* Says to the device that the QP has work requests, in any context. */
void vrdma_doorbell_qp(struct vrdma_dev *dev, u32 handle)
{
	vrdma_doorbell(dev, &dev->doorbells->qp, handle);
}

/* Has the device look at a CQ that the driver has armed, in any context. */
void vrdma_doorbell_cq(struct vrdma_dev *dev, u32 handle)
{
	vrdma_doorbell(dev, &dev->doorbells->cq, handle);
}
