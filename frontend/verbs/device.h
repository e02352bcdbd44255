/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: attributes of the device and of its port. */
#ifndef VRDMA_VERBS_DEVICE_H
#define VRDMA_VERBS_DEVICE_H

struct vrdma_dev;

void vrdma_port_init(struct vrdma_dev *dev);
void vrdma_device_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_DEVICE_H */
