/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: memory of a user that a command takes along. */
#ifndef VRDMA_CORE_USER_MEMORY_H
#define VRDMA_CORE_USER_MEMORY_H

#include "vrdma_udata.h"

struct ib_umem;
struct vrdma_cmd;
struct vrdma_dev;
struct vrdma_udata_counts;

/* User memory that the device uses: behind pointers in udata, and that of a memory region. */
struct vrdma_pins {
	struct ib_umem *umem[VRDMA_MAX_UDATA_REGIONS + 1];
	u32 count;
	struct vrdma_pins *more;	/* of earlier commands; allocated */
};

int vrdma_udata_query(struct vrdma_dev *dev);
void vrdma_pins_add(struct vrdma_pins *pins, struct ib_umem *umem);
void vrdma_pins_move(struct vrdma_pins *to, struct vrdma_pins *from);
void vrdma_pins_push(struct vrdma_pins *to, struct vrdma_pins *from, struct vrdma_pins *more);
void vrdma_pins_release(struct vrdma_pins *pins);
u32 vrdma_runs(struct ib_umem *umem, struct vrdma_cmd *cmd, size_t offset);
int vrdma_cmd_exec_user(struct vrdma_dev *dev, struct vrdma_cmd *cmd,
			const struct vrdma_udata_counts *counts, struct vrdma_pins *lasting);

#endif /* VRDMA_CORE_USER_MEMORY_H */
