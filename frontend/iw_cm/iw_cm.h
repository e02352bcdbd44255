/* SPDX-License-Identifier: GPL-2.0 */
/* Copyright (c) 2026 the vrdma authors */
/* vrdma guest driver: iWARP RNICs and their connections. */
#ifndef VRDMA_IW_CM_IW_CM_H
#define VRDMA_IW_CM_IW_CM_H

struct vrdma_dev;

/* iw_cm/iwarp.c */
void vrdma_iwarp_set_ops(struct vrdma_dev *dev);

/* iw_cm/iw_cm.c.  Without vrdma_has_iw_cm(), these functions do nothing. */
void vrdma_iw_cm_set_ops(struct vrdma_dev *dev);
int vrdma_iw_cm_init(struct vrdma_dev *dev);
void vrdma_iw_cm_fail(struct vrdma_dev *dev);
void vrdma_iw_cm_stop(struct vrdma_dev *dev);
void vrdma_iw_cm_free(struct vrdma_dev *dev);

/* iw_cm/addresses.c.  Without vrdma_has_iw_cm(), these functions do nothing. */
int vrdma_iw_addresses_start(struct vrdma_dev *dev);
void vrdma_iw_addresses_stop(struct vrdma_dev *dev);

#endif /* VRDMA_IW_CM_IW_CM_H */
