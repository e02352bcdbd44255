// SPDX-License-Identifier: GPL-2.0
// Copyright (c) 2026 the vrdma authors
/* Statistics have descriptors, not only names (Linux 5.16). */
#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <rdma/ib_verbs.h>

static_assert(sizeof(struct rdma_stat_desc));
