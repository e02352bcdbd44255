// SPDX-License-Identifier: GPL-2.0
/* vrdma guest driver: the devices that files of /dev/infiniband/rdma_cm are opened on. */
#include <linux/slab.h>

#include "ucma/file.h"

DEFINE_MUTEX(vrdma_ucm_mutex);
LIST_HEAD(vrdma_ucms);

/* A device that files can be opened on, or NULL. */
struct vrdma_ucm *vrdma_ucm_get_any(void)
{
	struct vrdma_ucm *ucm;

	mutex_lock(&vrdma_ucm_mutex);
	ucm = list_first_entry_or_null(&vrdma_ucms, struct vrdma_ucm, list);
	if (ucm)
		refcount_inc(&ucm->refs);
	mutex_unlock(&vrdma_ucm_mutex);
	return ucm;
}

void vrdma_ucm_put(struct vrdma_ucm *ucm)
{
	if (!refcount_dec_and_test(&ucm->refs))
		return;

	xa_destroy(&ucm->files);
	kfree(ucm);
}
