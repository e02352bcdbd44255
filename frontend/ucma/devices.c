// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: the devices that files of /dev/infiniband/rdma_cm are opened on. */
#include <linux/slab.h>

#include "ucma/file.h"

/* Protects the list of devices, and what node.c knows of the node and of rdma_ucm. */
DEFINE_MUTEX(vrdma_ucma_mutex);
LIST_HEAD(vrdma_ucmas);

/* Returns a device that files can be opened on, with a reference, or NULL. */
struct vrdma_ucma *vrdma_ucma_get_any(void)
{
	struct vrdma_ucma *ucma;

	mutex_lock(&vrdma_ucma_mutex);
	ucma = list_first_entry_or_null(&vrdma_ucmas, struct vrdma_ucma, list);
	if (ucma)
		refcount_inc(&ucma->refs);
	mutex_unlock(&vrdma_ucma_mutex);
	return ucma;
}

void vrdma_ucma_put(struct vrdma_ucma *ucma)
{
	if (!refcount_dec_and_test(&ucma->refs))
		return;

	xa_destroy(&ucma->files);
	kfree(ucma);
}
