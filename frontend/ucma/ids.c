// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/*
 * vrdma guest driver: the ids of a file of /dev/infiniband/rdma_cm.
 *
 * The device has the ids themselves.  When it is lost, they are, and each gets the event that an
 * adapter's removal brings (RDMA_CM_EVENT_DEVICE_REMOVAL), so that its program destroys it.
 */
#include <linux/slab.h>
#include <rdma/rdma_cm.h>
#include <rdma/rdma_user_cm.h>

#include "ucma/ids.h"

struct vrdma_ucma_id {
	u64 uid;	/* the user's own name for it, which its events carry */
	bool told;	/* has got its event of the removal */
};

void vrdma_ucma_ids_init(struct vrdma_ucma_ids *ids)
{
	mutex_init(&ids->lock);
	xa_init(&ids->ids);
}

void vrdma_ucma_ids_free(struct vrdma_ucma_ids *ids)
{
	struct vrdma_ucma_id *entry;
	unsigned long id;

	xa_for_each(&ids->ids, id, entry)
		kfree(entry);
	xa_destroy(&ids->ids);
}

/* Enters an id that the device has made. */
int vrdma_ucma_ids_add(struct vrdma_ucma_ids *ids, u32 id, u64 uid)
{
	struct vrdma_ucma_id *entry = kzalloc(sizeof(*entry), GFP_KERNEL);
	void *old;

	if (!entry)
		return -ENOMEM;

	entry->uid = uid;
	mutex_lock(&ids->lock);
	old = xa_store(&ids->ids, id, entry, GFP_KERNEL);
	mutex_unlock(&ids->lock);
	if (xa_is_err(old)) {
		kfree(entry);
		return xa_err(old);
	}
	/* A device that gives a number out twice has forgotten the first. */
	kfree(old);
	return 0;
}

/* The user gives a name to an id that came with a connection request. */
void vrdma_ucma_ids_name(struct vrdma_ucma_ids *ids, u32 id, u64 uid)
{
	struct vrdma_ucma_id *entry;

	mutex_lock(&ids->lock);
	entry = xa_load(&ids->ids, id);
	if (entry)
		entry->uid = uid;
	mutex_unlock(&ids->lock);
}

/* Returns false when there is no such id. */
bool vrdma_ucma_ids_remove(struct vrdma_ucma_ids *ids, u32 id, u64 *uid, bool *told)
{
	struct vrdma_ucma_id *entry;

	mutex_lock(&ids->lock);
	entry = xa_erase(&ids->ids, id);
	mutex_unlock(&ids->lock);
	if (!entry)
		return false;

	*uid = entry->uid;
	*told = entry->told;
	kfree(entry);
	return true;
}

/*
 * Fills in the event of an id that has not got it.  Returns how many ids had not: with 0, there is
 * no event.
 */
u32 vrdma_ucma_ids_next_removed(struct vrdma_ucma_ids *ids, struct rdma_ucm_event_resp *event)
{
	struct vrdma_ucma_id *entry;
	unsigned long id;
	u32 count = 0;

	mutex_lock(&ids->lock);
	xa_for_each(&ids->ids, id, entry) {
		if (entry->told || count++)
			continue;
		entry->told = true;
		event->uid = entry->uid;
		event->id = id;
		event->event = RDMA_CM_EVENT_DEVICE_REMOVAL;
	}
	mutex_unlock(&ids->lock);
	return count;
}
