// SPDX-License-Identifier: GPL-2.0
/*
 * vrdma guest driver: mappings of the RNIC in user processes.
 *
 * The offsets are those of the host's uverbs file and mean nothing here: the
 * device says where in the window it has mapped what is there.  The core's
 * entry serves for its lifetime only, its own offset is never used.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <rdma/uverbs_ioctl.h>

#include "core/cmd.h"

struct vrdma_mmap_entry {
	struct rdma_user_mmap_entry rdma_entry;
	struct vrdma_mapping mapping;
};

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

	/* The kernel's own user context is there as long as the device is. */
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

void vrdma_unmap(struct vrdma_dev *dev, const struct vrdma_mapping *mapping)
{
	struct vrdma_cmd_munmap *req;
	struct vrdma_cmd *cmd;
	int err;

	cmd = vrdma_cmd_alloc(dev, VRDMA_CMD_MUNMAP, sizeof(*req), sizeof(struct vrdma_rsp_empty),
			      mapping->uctx, NULL);
	if (IS_ERR(cmd))
		return;		/* goes with the user context then */

	req = cmd->req;
	req->shm_offset = cpu_to_le64(mapping->shm_offset);
	req->length = cpu_to_le64(mapping->length);

	err = vrdma_cmd_exec(dev, cmd);
	if (err && vrdma_alive(dev))
		dev_warn_ratelimited(&dev->vdev->dev, "MUNMAP of %#llx + %#llx failed: %d\n",
				     mapping->shm_offset, mapping->length, err);
	vrdma_cmd_put(cmd);
}

static bool vrdma_mmap_in_window(struct vrdma_dev *dev, const struct vrdma_mapping *mapping)
{
	u64 first = mapping->shm_offset;
	u64 last = first + mapping->length - 1;

	return vrdma_shm_range_valid(first, mapping->length) && last < dev->window.len &&
	       (first >= dev->doorbells_offset + dev->doorbells_length ||
		last < dev->doorbells_offset);
}

/* Has @mapping->length bytes from @offset of its user context's file mapped in the window. */
int vrdma_map(struct vrdma_dev *dev, struct vrdma_mapping *mapping, u64 offset, u32 *caching)
{
	int err;

	err = vrdma_mmap_cmd(dev, mapping, offset, caching);
	if (err)
		return err;

	/* The device's granularity may be finer than this kernel's pages. */
	if (vrdma_mmap_in_window(dev, mapping) && PAGE_ALIGNED(mapping->shm_offset))
		return 0;
	vrdma_unmap(dev, mapping);
	return -EIO;
}

static int vrdma_mmap_prot(struct vm_area_struct *vma, u32 caching, pgprot_t *prot)
{
	switch (caching) {
	case VRDMA_MMAP_CACHED:
		*prot = vma->vm_page_prot;
		return 0;
	case VRDMA_MMAP_WRITE_COMBINE:
		*prot = pgprot_writecombine(vma->vm_page_prot);
		return 0;
	case VRDMA_MMAP_NONCACHED:
		*prot = pgprot_noncached(vma->vm_page_prot);
		return 0;
	default:
		return -EIO;
	}
}

int vrdma_mmap(struct ib_ucontext *ibuctx, struct vm_area_struct *vma)
{
	struct vrdma_dev *dev = to_vrdma_dev(ibuctx->device);
	struct vrdma_mmap_entry *entry;
	pgprot_t prot;
	u32 caching;
	int err;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	if (!entry)
		return -ENOMEM;
	entry->mapping.uctx = to_vrdma_ucontext(ibuctx)->handle;
	entry->mapping.length = vma->vm_end - vma->vm_start;

	err = vrdma_map(dev, &entry->mapping, (u64)vma->vm_pgoff << PAGE_SHIFT, &caching);
	if (err)
		goto err_free;

	err = vrdma_mmap_prot(vma, caching, &prot);
	if (err)
		goto err_munmap;

	err = rdma_user_mmap_entry_insert(ibuctx, &entry->rdma_entry, entry->mapping.length);
	if (err)
		goto err_munmap;
	err = rdma_user_mmap_io(ibuctx, vma,
				PHYS_PFN(dev->window.addr + entry->mapping.shm_offset),
				entry->mapping.length, prot, &entry->rdma_entry);

	/* The VMA has its own reference; without one, this was the last. */
	rdma_user_mmap_entry_remove(&entry->rdma_entry);
	return err;

err_munmap:
	vrdma_unmap(dev, &entry->mapping);
err_free:
	kfree(entry);
	return err;
}

/* The last VMA of a mapping is gone, or was cut off from the device. */
void vrdma_mmap_free(struct rdma_user_mmap_entry *rdma_entry)
{
	struct vrdma_mmap_entry *entry =
		container_of(rdma_entry, struct vrdma_mmap_entry, rdma_entry);

	vrdma_unmap(to_vrdma_dev(rdma_entry->ucontext->device), &entry->mapping);
	kfree(entry);
}
