// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* ops.resize_user_cq takes the place of ops.resize_cq (Linux 7.1). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/ib_verbs.h>

static_assert(sizeof_field(const struct ib_device_ops, resize_user_cq));
