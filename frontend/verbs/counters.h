/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: what the port has counted. */
#ifndef VRDMA_VERBS_COUNTERS_H
#define VRDMA_VERBS_COUNTERS_H

struct vrdma_dev;

void vrdma_counters_set_ops(struct vrdma_dev *dev);

#endif /* VRDMA_VERBS_COUNTERS_H */
