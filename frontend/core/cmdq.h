/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: controlq, on which commands go to the device. */
#ifndef VRDMA_CORE_CMDQ_H
#define VRDMA_CORE_CMDQ_H

#include <linux/types.h>

struct virtqueue;
struct work_struct;
struct vrdma_cmd;
struct vrdma_dev;

void vrdma_cmdq_init(struct vrdma_dev *dev);
void vrdma_cmdq_callback(struct virtqueue *vq);
int vrdma_cmd_exec(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
int vrdma_cmd_exec_killable(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
int vrdma_cmd_exec_leaving(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
void vrdma_cmd_send(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
int vrdma_cmd_check(struct vrdma_dev *dev, struct vrdma_cmd *cmd);
bool vrdma_cmdq_is_stuck(struct vrdma_dev *dev);
bool vrdma_cmdq_stop(struct vrdma_dev *dev);
void vrdma_cmdq_watch_work(struct work_struct *work);

#endif /* VRDMA_CORE_CMDQ_H */
