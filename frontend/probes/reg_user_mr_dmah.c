// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* ops.reg_user_mr has a DMA handle (Linux 6.17). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/ib_verbs.h>

static_assert(__same_type(typeof_member(const struct ib_device_ops, reg_user_mr),
			  struct ib_mr *(*)(struct ib_pd *pd, u64 start, u64 length, u64 iova,
					    int access, struct ib_dmah *dmah,
					    struct ib_udata *udata)));
