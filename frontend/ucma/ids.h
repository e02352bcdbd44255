/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: the ids of a file of /dev/infiniband/rdma_cm. */
#ifndef VRDMA_UCMA_IDS_H
#define VRDMA_UCMA_IDS_H

#include <linux/mutex.h>
#include <linux/xarray.h>

struct rdma_ucm_event_resp;

struct vrdma_ucma_ids {
	struct mutex lock;	/* protects the entries */
	struct xarray ids;	/* struct vrdma_ucma_id by the device's number */
};

void vrdma_ucma_ids_init(struct vrdma_ucma_ids *ids);
void vrdma_ucma_ids_free(struct vrdma_ucma_ids *ids);
int vrdma_ucma_ids_add(struct vrdma_ucma_ids *ids, u32 id, u64 uid);
void vrdma_ucma_ids_name(struct vrdma_ucma_ids *ids, u32 id, u64 uid);
bool vrdma_ucma_ids_remove(struct vrdma_ucma_ids *ids, u32 id, u64 *uid, bool *told);
u32 vrdma_ucma_ids_next_removed(struct vrdma_ucma_ids *ids, struct rdma_ucm_event_resp *event);

static inline bool vrdma_ucma_ids_empty(const struct vrdma_ucma_ids *ids)
{
	return xa_empty(&ids->ids);
}

#endif /* VRDMA_UCMA_IDS_H */
