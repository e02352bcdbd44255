/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: devices that are lost, and start again. */
#ifndef VRDMA_RECOVERY_H
#define VRDMA_RECOVERY_H

struct vrdma_slot;

void vrdma_slot_init(struct vrdma_slot *slot);
void vrdma_slot_start(struct vrdma_slot *slot);
void vrdma_slot_stop(struct vrdma_slot *slot);
void vrdma_slot_leave(struct vrdma_slot *slot);
void vrdma_slot_sleep(struct vrdma_slot *slot);
void vrdma_slot_wake(struct vrdma_slot *slot);

#endif /* VRDMA_RECOVERY_H */
