/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what the device has mapped in its shared memory region. */
#ifndef VRDMA_CORE_SHM_H
#define VRDMA_CORE_SHM_H

#include <linux/types.h>

struct vrdma_dev;

/* A range of the shared memory region, where the device has mapped memory of a user context. */
struct vrdma_mapping {
	u64 shm_offset;
	u64 length;
	u32 uctx;
};

int vrdma_map(struct vrdma_dev *dev, struct vrdma_mapping *mapping, u64 offset, u32 *caching);
void vrdma_unmap(struct vrdma_dev *dev, const struct vrdma_mapping *mapping);

#endif /* VRDMA_CORE_SHM_H */
