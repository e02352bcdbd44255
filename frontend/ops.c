// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: who sets the methods of a device, and in which order. */
#include "iw_cm/iw_cm.h"
#include "kernel_verbs/kernel_verbs.h"
#include "ops.h"
#include "verbs/ah.h"
#include "verbs/counters.h"
#include "verbs/cq.h"
#include "verbs/device.h"
#include "verbs/gid.h"
#include "verbs/mcast.h"
#include "verbs/mr.h"
#include "verbs/mw.h"
#include "verbs/pd.h"
#include "verbs/qp.h"
#include "verbs/srq.h"
#include "verbs/ucontext.h"
#include "verbs/xrcd.h"

/*
 * Each kind of object sets its own methods, those that the device has the features for.
 *
 * ib_set_device_ops() keeps a method that was set before: the most special methods come first,
 * and hand on to those of verbs/.
 *
 * The methods get_dma_mr, post_recv and poll_cq are missing in verbs/; kernel_verbs/ and iw_cm/
 * have them.  Without them the core keeps kernel clients (ib_mad, rdma_cm, ipoib ...) away from
 * the device, and uverbs answers -EOPNOTSUPP to users who call them.
 */
void vrdma_set_ops(struct vrdma_dev *dev)
{
	vrdma_kernel_set_ops(dev);
	vrdma_iw_cm_set_ops(dev);
	vrdma_iwarp_set_ops(dev);

	vrdma_device_set_ops(dev);
	vrdma_counters_set_ops(dev);
	vrdma_gid_set_ops(dev);
	vrdma_ucontext_set_ops(dev);
	vrdma_pd_set_ops(dev);
	vrdma_mr_set_ops(dev);
	vrdma_mw_set_ops(dev);
	vrdma_cq_set_ops(dev);
	vrdma_xrcd_set_ops(dev);
	vrdma_srq_set_ops(dev);
	vrdma_qp_set_ops(dev);
	vrdma_ah_set_ops(dev);
	vrdma_mcast_set_ops(dev);
}
