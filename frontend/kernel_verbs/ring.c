// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: rings of the RNIC in the kernel's address space. */
#include <linux/io.h>
#include <linux/log2.h>

#include "core/dev.h"
#include "core/shm.h"
#include "kernel_verbs/queues.h"

/* Reads the geometry in the ring's header once, since the device can change it. */
static int vrdma_ring_read_geometry(struct vrdma_ring *ring, u32 entry_size)
{
	u32 mask = READ_ONCE(ring->buf->index_mask);
	u32 shift = READ_ONCE(ring->buf->log2_elem_size);
	u64 room = ring->mapping.length - sizeof(*ring->buf);

	if (shift > 20 || BIT(shift) < entry_size || mask > INT_MAX || !is_power_of_2(mask + 1) ||
	    !mask || (u64)mask + 1 > room >> shift)
		return -EIO;

	ring->mask = mask;
	ring->shift = shift;
	return 0;
}

/*
 * Maps the ring that the device has at @info.  Returns -EIO for a ring that is not what the
 * kernel can use, or whose entries have fewer than @entry_size bytes.
 */
int vrdma_ring_map(struct vrdma_dev *dev, struct vrdma_ring *ring, const struct mminfo *info,
		   u32 entry_size)
{
	u32 caching;
	int err;

	if (info->size <= sizeof(*ring->buf) || !PAGE_ALIGNED(info->offset))
		return -EIO;

	ring->index = 0;
	ring->mapping.uctx = dev->kernel_uctx;
	ring->mapping.length = PAGE_ALIGN((u64)info->size);
	err = vrdma_map(dev, &ring->mapping, info->offset, &caching);
	if (err)
		return err;

	err = -EIO;
	if (caching != VRDMA_MMAP_CACHED)
		goto err_unmap;

	err = -ENOMEM;
	ring->buf = memremap(dev->shm.addr + ring->mapping.shm_offset, ring->mapping.length,
			     MEMREMAP_WB);
	if (!ring->buf)
		goto err_unmap;

	err = vrdma_ring_read_geometry(ring, entry_size);
	if (err)
		goto err_memunmap;
	return 0;

err_memunmap:
	memunmap(ring->buf);
	ring->buf = NULL;
err_unmap:
	vrdma_unmap(dev, &ring->mapping);
	return err;
}

void vrdma_ring_unmap(struct vrdma_dev *dev, struct vrdma_ring *ring)
{
	if (!ring->buf)
		return;

	memunmap(ring->buf);
	vrdma_unmap(dev, &ring->mapping);
}
