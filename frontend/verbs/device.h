/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: attributes of the device and of its port. */
#ifndef VRDMA_VERBS_DEVICE_H
#define VRDMA_VERBS_DEVICE_H

#include <linux/types.h>

struct vrdma_cmd;
struct vrdma_dev;

struct vrdma_cmd *vrdma_ask_port(struct vrdma_dev *dev, u16 opcode, u32 port, u32 answer_len);
void vrdma_port_init(struct vrdma_dev *dev);
void vrdma_device_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_DEVICE_H */
