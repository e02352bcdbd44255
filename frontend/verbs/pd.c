// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* vrdma guest driver: protection domains. */
#include <rdma/uverbs_ioctl.h>

#include "core/dev.h"
#include "core/objects.h"
#include "verbs/pd.h"
#include "verbs/ucontext.h"

static int vrdma_alloc_pd(struct ib_pd *ibpd, struct ib_udata *udata)
{
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);
	struct vrdma_ucontext *uctx;

	if (udata) {
		uctx = rdma_udata_to_drv_context(udata, struct vrdma_ucontext, ibuctx);
		pd->uctx = uctx->handle;
	} else {
		pd->uctx = to_vrdma_dev(ibpd->device)->kernel_uctx;
		if (pd->uctx == VRDMA_NO_HANDLE)
			return -EOPNOTSUPP;
	}
	return vrdma_cmd_acquire(to_vrdma_dev(ibpd->device), VRDMA_CMD_ALLOC_PD,
				 VRDMA_CMD_DEALLOC_PD, pd->uctx, udata, &pd->handle);
}

static int vrdma_dealloc_pd(struct ib_pd *ibpd, struct ib_udata *udata)
{
	struct vrdma_pd *pd = to_vrdma_pd(ibpd);

	vrdma_cmd_release(to_vrdma_dev(ibpd->device), VRDMA_CMD_DEALLOC_PD, pd->uctx, pd->handle,
			  NULL);
	return 0;
}

static const struct ib_device_ops vrdma_pd_ops = {
	.alloc_pd = vrdma_alloc_pd,
	.dealloc_pd = vrdma_dealloc_pd,

	INIT_RDMA_OBJ_SIZE(ib_pd, vrdma_pd, ibpd),
};

void vrdma_pd_set_ops(struct vrdma_dev *dev)
{
	ib_set_device_ops(&dev->ibdev, &vrdma_pd_ops);
}
