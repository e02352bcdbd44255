// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* ops.create_cq has all of the attributes, not only the user's data (Linux 6.11). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/ib_verbs.h>

static_assert(__same_type(typeof_member(const struct ib_device_ops, create_cq),
			  int (*)(struct ib_cq *cq, const struct ib_cq_init_attr *attr,
				  struct uverbs_attr_bundle *attrs)));
