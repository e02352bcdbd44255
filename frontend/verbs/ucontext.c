// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: user contexts, and their mappings of the RNIC.
 *
 * The offsets of mappings are those of the host's uverbs file and mean nothing here: the
 * device says where in the shared memory region it has mapped what is there.  The core's
 * mmap entry serves for its lifetime only; the entry's own offset is never used.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <rdma/uverbs_ioctl.h>

#include "core/dev.h"
#include "core/objects.h"
#include "core/shm.h"
#include "verbs/ucontext.h"

struct vrdma_mmap_entry {
	struct rdma_user_mmap_entry rdma_entry;
	struct vrdma_mapping mapping;
};

static int vrdma_alloc_ucontext(struct ib_ucontext *ibuctx, struct ib_udata *udata)
{
	return vrdma_cmd_acquire(to_vrdma_dev(ibuctx->device), VRDMA_CMD_ALLOC_UCONTEXT,
				 VRDMA_CMD_DEALLOC_UCONTEXT, VRDMA_NO_HANDLE, udata,
				 &to_vrdma_ucontext(ibuctx)->handle);
}

static void vrdma_dealloc_ucontext(struct ib_ucontext *ibuctx)
{
	struct vrdma_ucontext *uctx = to_vrdma_ucontext(ibuctx);

	vrdma_cmd_release(to_vrdma_dev(ibuctx->device), VRDMA_CMD_DEALLOC_UCONTEXT, uctx->handle,
			  uctx->handle, NULL);
}

/* The method's presence says that the device can go while users have it open. */
static void vrdma_disassociate_ucontext(struct ib_ucontext *ibuctx)
{
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

static int vrdma_mmap(struct ib_ucontext *ibuctx, struct vm_area_struct *vma)
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
				PHYS_PFN(dev->shm.addr + entry->mapping.shm_offset),
				entry->mapping.length, prot, &entry->rdma_entry);

	/* The VMA has a reference of its own.  Where there is no VMA, this was the last. */
	rdma_user_mmap_entry_remove(&entry->rdma_entry);
	return err;

err_munmap:
	vrdma_unmap(dev, &entry->mapping);
err_free:
	kfree(entry);
	return err;
}

/* The last VMA of a mapping is gone, or was cut off from the device. */
static void vrdma_mmap_free(struct rdma_user_mmap_entry *rdma_entry)
{
	struct vrdma_mmap_entry *entry =
		container_of(rdma_entry, struct vrdma_mmap_entry, rdma_entry);

	vrdma_unmap(to_vrdma_dev(rdma_entry->ucontext->device), &entry->mapping);
	kfree(entry);
}

static const struct ib_device_ops vrdma_ucontext_ops = {
	.alloc_ucontext = vrdma_alloc_ucontext,
	.dealloc_ucontext = vrdma_dealloc_ucontext,
	.disassociate_ucontext = vrdma_disassociate_ucontext,
	.mmap = vrdma_mmap,
	.mmap_free = vrdma_mmap_free,

	INIT_RDMA_OBJ_SIZE(ib_ucontext, vrdma_ucontext, ibuctx),
};

void vrdma_ucontext_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_ucontext_ops);
}
